import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

/*
 * Draws the sample pictures: `npm run samples`. Deterministic; everything comes from the numbers below.
 */

const folder = fileURLToPath(new URL('../samples/', import.meta.url))
mkdirSync(folder, { recursive: true })

type Rgb = readonly [number, number, number]

const lake = scene(2048, 1365, 7)
writeFileSync(`${folder}lake.jpg`, await encodeJpeg(lake, 2048, 1365))
const tall = scene(1200, 1600, 23)
// Stored on its side with orientation 6, as phones do.
const sideways = await sharp(tall, { raw: { width: 1200, height: 1600, channels: 3 } })
  .rotate(270)
  .raw()
  .toBuffer()
writeFileSync(
  `${folder}tower.jpg`,
  await sharp(sideways, { raw: { width: 1600, height: 1200, channels: 3 } })
    .jpeg({ quality: 82, mozjpeg: true })
    .withMetadata({ orientation: 6 })
    .toBuffer(),
)
writeFileSync(
  `${folder}logo.png`,
  await sharp(logo(512), { raw: { width: 512, height: 512, channels: 4 } })
    .png({ compressionLevel: 9, palette: true })
    .toBuffer(),
)
const frames = Array.from({ length: 16 }, (_, i) => logo(120, (i / 16) * Math.PI * 2))
writeFileSync(
  `${folder}wheel.gif`,
  await sharp(Buffer.concat(frames), { raw: { width: 120, height: 120 * 16, channels: 4, pageHeight: 120 } })
    .gif({ delay: frames.map(() => 60), loop: 0 })
    .toBuffer(),
)

function encodeJpeg(data: Buffer, width: number, height: number): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 84, mozjpeg: true })
    .toBuffer()
}

/** Dusk over a mountain lake: sky with stars and a low sun, five ridges in haze, their reflection in moving water. */
function scene(width: number, height: number, seed: number): Buffer {
  const data = Buffer.alloc(width * height * 3)
  const horizon = Math.round(height * 0.62)
  const ridges = Array.from({ length: 5 }, (_, i) =>
    ridge(width, horizon - height * (0.3 - i * 0.062), height * (0.13 - i * 0.012), seed + i * 17),
  )
  const sun = { x: width * 0.66, y: horizon - height * 0.1 }
  const land = (x: number, y: number): Rgb => {
    let colour = sky(x, y)
    for (const [i, line] of ridges.entries()) {
      const depth = y - (line[x] as number)
      if (depth < 0) continue
      const haze = 0.72 - i * 0.16
      const rock: Rgb = [28 + i * 3, 34 + i * 2, 58 - i * 6]
      const shade = 1 - 0.18 * fractal(x / 55, y / 30, seed + i)
      const mist: Rgb = [214, 150, 140]
      const lifted = Math.min(1, haze + Math.min(0.35, depth / height))
      colour = blend(scale(rock, shade), mist, lifted * 0.75)
    }
    return colour
  }
  const sky = (x: number, y: number): Rgb => {
    const t = y / horizon
    const base = blend(
      blend([18, 26, 66], [92, 74, 132], Math.min(1, t * 1.5)),
      [250, 168, 112],
      Math.max(0, t * 1.6 - 0.6),
    )
    const distance = Math.hypot(x - sun.x, (y - sun.y) * 1.15) / height
    const glow = Math.exp(-distance * 6) * 0.9 + (distance < 0.034 ? 1 : 0)
    const cloud =
      Math.max(0, fractal(x / (width / 5), y / (height / 22), seed + 99) - 0.48) * 1.7 * Math.min(1, t * 2)
    const lit = blend(blend(base, [255, 196, 160], Math.min(0.8, cloud)), [255, 232, 190], Math.min(1, glow))
    const star = hash(x, y, seed) > 0.9994 && t < 0.5 ? (0.5 - t) * 420 : 0
    return [lit[0] + star, lit[1] + star, lit[2] + star]
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let colour: Rgb
      if (y < horizon) colour = land(x, y)
      else {
        const depth = (y - horizon) / (height - horizon)
        const wave =
          (fractal(x / (30 + depth * 120), (y * (1.6 - depth)) / 5, seed + 5) - 0.5) * (6 + depth * 46)
        const mirrored = Math.max(0, Math.min(horizon - 1, Math.round(horizon - (y - horizon) * 1.12 + wave)))
        const shifted = Math.max(0, Math.min(width - 1, Math.round(x + wave * 0.7)))
        colour = blend(scale(land(shifted, mirrored), 0.78), [16, 26, 52], 0.18 + depth * 0.5)
      }
      const grain = (hash(x + 13, y + 7, seed) - 0.5) * 5
      const at = (y * width + x) * 3
      for (let c = 0; c < 3; c++)
        data[at + c] = Math.max(0, Math.min(255, Math.round((colour[c] as number) + grain)))
    }
  }
  return data
}

/** Height of a mountain line for every column, px. */
function ridge(width: number, level: number, amplitude: number, seed: number): Float64Array {
  return Float64Array.from(
    { length: width },
    (_, x) =>
      level -
      amplitude * (fractal(x / (width / 6), seed * 3.7, seed) * 2 - 0.7) -
      amplitude * 0.12 * fractal(x / 14, seed, seed + 3),
  )
}

/** A water wheel of twelve paddles, turned by `angle` radians, on a transparent ground. RGBA. */
function logo(size: number, angle = 0.2): Buffer {
  const data = Buffer.alloc(size * size * 4)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let covered = 0
      let colour: Rgb = [11, 122, 117]
      for (let s = 0; s < 16; s++) {
        const dx = (x + (s % 4) / 4 + 0.125 - size / 2) / (size / 2)
        const dy = (y + Math.floor(s / 4) / 4 + 0.125 - size / 2) / (size / 2)
        const radius = Math.hypot(dx, dy)
        const turn = (((Math.atan2(dy, dx) + angle) / (Math.PI * 2)) * 12 + 24) % 1
        const paddle = radius > 0.3 && radius < 0.96 && Math.abs(turn - 0.5) < 0.055 / radius
        if ((radius > 0.72 && radius < 0.84) || (radius > 0.2 && radius < 0.34) || paddle) covered += 1
        if (radius < 0.34) colour = [242, 166, 90]
      }
      data.set([...colour, Math.round((covered / 16) * 255)], (y * size + x) * 4)
    }
  }
  return data
}

function fractal(x: number, y: number, seed: number): number {
  let sum = 0
  for (let octave = 0; octave < 5; octave++)
    sum += noise(x * 2 ** octave, y * 2 ** octave, seed + octave) / 2 ** (octave + 1)
  return sum / 0.97
}

function noise(x: number, y: number, seed: number): number {
  const [x0, y0] = [Math.floor(x), Math.floor(y)]
  const smooth = (t: number) => t * t * (3 - 2 * t)
  const [u, v] = [smooth(x - x0), smooth(y - y0)]
  const top = hash(x0, y0, seed) * (1 - u) + hash(x0 + 1, y0, seed) * u
  const bottom = hash(x0, y0 + 1, seed) * (1 - u) + hash(x0 + 1, y0 + 1, seed) * u
  return top * (1 - v) + bottom * v
}

function hash(x: number, y: number, seed: number): number {
  let h =
    Math.imul(x | 0, 374_761_393) ^ Math.imul(y | 0, 668_265_263) ^ Math.imul(seed | 0, 2_147_483_647 - 1_013)
  h = Math.imul(h ^ (h >>> 13), 1_274_126_177)
  return ((h ^ (h >>> 16)) >>> 0) / 4_294_967_296
}

function blend(a: Rgb, b: Rgb, t: number): Rgb {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

function scale(a: Rgb, by: number): Rgb {
  return [a[0] * by, a[1] * by, a[2] * by]
}
