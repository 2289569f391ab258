import type { Order } from '../recipe/index.ts'

/** What a client told of itself; each absent when it said nothing that can be used. */
export interface ClientHints {
  /** Device pixel ratio: 1, 1.5, … 4. */
  readonly dpr?: number
  /** Width that the image will have on the page, device px: 100, 200, … 8192. */
  readonly width?: number
  /** Width of the window, CSS px: 100, 200, … 8192. */
  readonly viewportWidth?: number
}

const MAX_DPR = 4
const DPR_STEP = 0.5
const MAX_WIDTH = 8192
const WIDTH_STEP = 100

/**
 * Client hints of a request, clamped and rounded up to a few steps: every value that can be told is a variant to make and
 * keep. The `Sec-CH-` name wins over the older one.
 *
 * @param headers By lower-case name.
 * @see https://wicg.github.io/responsive-image-client-hints/
 */
export function readHints(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): ClientHints {
  const read = (name: string) => readNumber(headers[`sec-ch-${name}`]) ?? readNumber(headers[name])
  const dpr = read('dpr')
  const width = read('width')
  const viewportWidth = read('viewport-width')
  return {
    ...(dpr === undefined ? {} : { dpr: Math.max(1, stepped(dpr, DPR_STEP, MAX_DPR)) }),
    ...(width === undefined ? {} : { width: stepped(width, WIDTH_STEP, MAX_WIDTH) }),
    ...(viewportWidth === undefined ? {} : { viewportWidth: stepped(viewportWidth, WIDTH_STEP, MAX_WIDTH) }),
  }
}

/** A positive decimal of RFC 9651 (at most 12 digits before the point, 3 behind). */
function readNumber(value: string | readonly string[] | undefined): number | undefined {
  if (typeof value !== 'string' || !/^\d{1,12}(?:\.\d{1,3})?$/.test(value)) return undefined
  return Number(value) > 0 ? Number(value) : undefined
}

function stepped(value: number, step: number, max: number): number {
  return Math.min(max, Math.ceil(value / step) * step)
}

/**
 * An order with what it left to the client filled in: the DPR, and the width of its first resize. Without a hint the
 * DPR is 1 and the width stays open. `hints` are gone from the result: equal wishes are equal orders.
 */
export function applyHints({ hints: open, ...order }: Order, hints: ClientHints): Order {
  if (open === undefined) return order
  const dpr = open.dpr ? (hints.dpr ?? 1) : order.dpr
  const settled = { ...order, dpr }
  if (!open.width) return settled
  // An order holds CSS px; `Width` tells device px, `Viewport-Width` CSS px.
  const width = hints.width === undefined ? hints.viewportWidth : Math.max(1, Math.round(hints.width / dpr))
  if (width === undefined) return settled
  const [first = { steps: [] }, ...rest] = order.recipe.stages
  const resize = first.steps.find(({ op }) => op === 'resize')
  const steps = [...first.steps.filter((step) => step !== resize), { op: 'resize', ...resize, width }]
  return { ...settled, recipe: { ...order.recipe, stages: [{ ...first, steps }, ...rest] } }
}
