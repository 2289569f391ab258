import fc from 'fast-check'

const int = (min: number, max: number) => fc.integer({ min, max }).map(String)
const pick = (...words: string[]) => fc.constantFrom(...words)
const gravity = pick('centre', 'north', 'southeast', 'west', '0.3:0.7', 'smart', 'entropy')

/** Options of one stage by key; every value is allowed. */
const OPTIONS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  w: int(1, 300), h: int(1, 300), fit: pick('inside', 'cover', 'contain', 'fill', 'outside'), pos: gravity, up: pick('true', 'false'),
  kernel: pick('nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'), crop: fc.oneof(fc.tuple(int(1, 200), int(1, 200)).map((sides) => sides.join(':')), pick('10%25:10%25:50%25:50%25')),
  croppos: gravity, trim: int(0, 60), rotate: pick('90', '180', '270', '-90', '15', '33.5:ff0000', '45'), flip: pick('h', 'v', 'hv'),
  blur: pick('0.5', '1', '3'), sharp: pick('1', '0.8:1:3'), bri: pick('0.5', '1.5'), sat: pick('0', '2'), hue: int(-360, 360), con: int(-100, 100),
  gamma: pick('0.5', '2.2'), gray: pick('true'), tint: pick('ff8800', 'teal'), neg: pick('true'), th: int(0, 255), pix: int(1, 40), round: pick('5', '50%25'),
  pad: pick('3', '1:2:3:4'), padbg: pick('red', '00ff0080'), padmode: pick('background', 'copy', 'mirror', 'repeat'), bg: pick('white', '0000ff80'),
} // biome-ignore format: a table

const stage = (keys: readonly string[]) =>
  fc
    .subarray([...keys], { minLength: 1, maxLength: 5 })
    .chain((chosen) =>
      fc
        .tuple(
          ...chosen.map((key) => (OPTIONS[key] as fc.Arbitrary<string>).map((value) => `${key}=${value}`)),
        )
        .map((options) => options.join(',')),
    )

/** Text of a random recipe of one to three stages. */
export const randomRecipe = (without: readonly string[] = []): fc.Arbitrary<string> =>
  fc
    .array(stage(Object.keys(OPTIONS).filter((key) => !without.includes(key))), {
      minLength: 1,
      maxLength: 3,
    })
    .map((stages) => stages.join(';'))
