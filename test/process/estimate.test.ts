import { describe, expect, test } from 'vitest'
import { CALIBRATION_CASES, calibrate, LOOSE_BELOW_MEGAPIXELS, MAX_RATIO } from '../helpers/calibrate.ts'

describe('estimates of memory', () => {
  test.for(CALIBRATION_CASES.map((wanted) => ({ ...wanted, megapixels: wanted.source.megapixels })))(
    'hold for $name at $megapixels MP',
    { timeout: 60_000 },
    async (wanted) => {
      const { grownBytes, estimatedBytes, megapixels } = await calibrate(wanted)
      expect(grownBytes).toBeLessThanOrEqual(estimatedBytes)
      if (megapixels > LOOSE_BELOW_MEGAPIXELS)
        expect(estimatedBytes).toBeLessThanOrEqual(MAX_RATIO * grownBytes)
      // A 12 MP photo is re-encoded in less than 15 MB.
      if (wanted.name === 'jpeg → jpeg') expect(grownBytes).toBeLessThan(15_000_000)
    },
  )
})
