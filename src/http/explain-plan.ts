import type { Plan } from '../recipe/index.ts'

/** A plan as `/explain` shows it. */
export function explainPlan(plan: Plan): Record<string, unknown> {
  const { base, passes, output, size, exact, frames, estimate, profile } = plan
  return {
    decode: {
      format: base.format,
      stored: base.stored,
      size: base.size,
      orientation: base.orientation,
      shrinkOnLoad: base.shrink,
      joinsFirstPass: base.fused,
      frames: base.frames,
      bitDepth: base.bitDepth,
      ...(base.rasterised === undefined ? {} : { rasterised: base.rasterised }),
    },
    passes: passes.map(({ steps }) =>
      steps.map(({ step, planned, input }) => ({
        ...step,
        from: input.size,
        to: planned.size,
        exact: planned.exact,
        ...(planned.measured === true ? { measured: true } : {}),
      })),
    ),
    output,
    profile,
    result: { ...size, exact, ...(exact ? {} : { note: 'at most' }), frames },
    estimate,
  }
}
