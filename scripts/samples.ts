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
const tall = scene(1200, 1600, 23, true)
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

/**
 * Dusk over a mountain lake: stars and lit clouds above a low sun, five ridges with mist between them, their
 * reflection in moving water with the sun's glitter, a boat; `tower` adds a lighthouse on its rock.
 */
function scene(width: number, height: number, seed: number, tower = false): Buffer {
  const data = Buffer.alloc(width * height * 3)
  const horizon = Math.round(height * 0.6)
  const sun = { x: width * (tower ? 0.36 : 0.64), y: horizon - height * 0.172 }
  const ridges = Array.from({ length: 5 }, (_, i) => ridge(i))

  /** Height of a mountain line for every column, px; it sinks where the sun stands. */
  function ridge(i: number): Float64Array {
    const level = horizon - height * (0.17 - i * 0.034)
    const amplitude = height * (0.2 - i * 0.026)
    const valley = width * (0.13 - i * 0.012)
    return Float64Array.from({ length: width }, (_, x) => {
      const open = Math.exp(-(((x - sun.x) / valley) ** 2))
      const rough = fractal(x / (width / (5 + i * 2)), seed * 3.7 + i * 9.1, seed + i * 17)
      const fine = fractal(x / 16, seed, seed + i * 5)
      const pines =
        i < 3
          ? 0
          : height * 0.012 * Math.max(0, 1 - Math.abs(((x / (7 + i) + fine) % 1) * 2 - 1)) * (0.6 + fine)
      return level - amplitude * (Math.max(0, rough - 0.32) * 1.5 + 0.07 * fine) * (1 - 0.75 * open) - pines
    })
  }

  function sky(x: number, y: number): Rgb {
    const t = y / horizon
    const night = blend([11, 20, 58], [78, 74, 142], Math.min(1, t * 1.45))
    const dusk = blend(night, [247, 152, 96], Math.min(1, Math.max(0, t * 1.75 - 0.72)))
    const distance = Math.hypot(x - sun.x, (y - sun.y) * 1.2) / height
    const glow = 0.62 * Math.exp(-distance * 4.2) + 0.3 * Math.exp(-distance * 18)
    const bank = fractal(x / (width / 4), y / (height / 26), seed + 99)
    const cloud = Math.max(0, bank - 0.5) * 3 * Math.min(1, t * 2.4)
    const edge = blend([176, 110, 140], [255, 190, 132], Math.min(1, Math.exp(-distance * 2.6) * 1.4))
    const lit = blend(blend(dusk, edge, Math.min(0.85, cloud)), [255, 224, 166], Math.min(1, glow))
    const disc = 1 - Math.min(1, Math.max(0, (distance - 0.03) / 0.0025))
    const spark = hash(Math.floor(x / 1.6), Math.floor(y / 1.6), seed)
    const star = spark > 0.9988 && t < 0.55 ? (0.55 - t) * 300 * (spark - 0.9988) * 830 : 0
    const seen = blend(lit, [255, 246, 214], disc)
    return [seen[0] + star, seen[1] + star, seen[2] + star * 0.95]
  }

  function land(x: number, y: number): Rgb {
    let colour = sky(x, y)
    const warm = Math.exp(-Math.abs(x - sun.x) / (width * 0.3))
    const haze = blend([112, 100, 156], [246, 168, 122], warm)
    for (const [i, line] of ridges.entries()) {
      const depth = y - (line[x] as number)
      if (depth < 0) continue
      const rock = blend([84, 76, 128], [14, 18, 36], (i + 0.6) / 4.6)
      // Slopes that face the sun catch its light; gullies run aslant, so the slope is read off to the side.
      const gully = Math.round(x + (fractal(x / 70 + depth / 50, y / 26, seed + i * 3) - 0.5) * depth * 2.4)
      const [before, after] = [
        Math.max(0, Math.min(width - 1, gully - 24)),
        Math.max(0, Math.min(width - 1, gully + 24)),
      ]
      const slope = ((line[after] as number) - (line[before] as number)) / 48
      const facing = i > 2 ? 0 : Math.max(0, Math.min(1, Math.sign(sun.x - x) * slope * 0.9))
      const grain = 0.82 + 0.36 * fractal(x / 42 + depth / 60, y / 24, seed + i)
      const lit = blend(
        scale(rock, grain),
        [236, 140, 104],
        facing * (0.42 - i * 0.08) * Math.exp(-depth / (height * 0.09)),
      )
      const mist =
        Math.min(1, depth / (height * 0.13)) ** 1.5 *
        (0.86 - i * 0.15) *
        (0.72 + 0.5 * fractal(x / (width / 7), y / (height / 60), seed + 31))
      colour = blend(lit, haze, Math.min(0.95, mist + 0.34 - i * 0.075))
    }
    return colour
  }

  function water(x: number, y: number): Rgb {
    const depth = (y - horizon) / (height - horizon)
    const wave = fractal(x / (26 + depth * 150), (y - horizon) / (1.2 + depth * 11), seed + 5) - 0.5
    const from = horizon - 1 - (y - horizon) * 1.05 + wave * (5 + depth * 70)
    const mirrored = Math.max(0, Math.min(horizon - 1, Math.round(from)))
    const shifted = Math.max(0, Math.min(width - 1, Math.round(x + wave * (4 + depth * 26))))
    const still = blend(scale(land(shifted, mirrored), 0.86), [14, 26, 56], 0.1 + depth * 0.42)
    const streak = Math.exp(-(((x - sun.x) / (width * (0.016 + depth * 0.06))) ** 2))
    const glitter = streak * Math.max(0, Math.min(1, wave * 5 + 0.35)) * (1 - depth * 0.55)
    return blend(still, [255, 206, 140], Math.min(0.9, glitter))
  }

  /** How much of a pixel is boat or rock, and of what colour. */
  function object(x: number, y: number): { cover: number; colour: Rgb } {
    const unit = height / 100
    const boat = { x: (x - width * (tower ? 0.24 : 0.37)) / unit, y: (y - (horizon + height * 0.115)) / unit }
    const mirror = boat.y > 1.35
    const v = mirror ? 2.7 - boat.y : boat.y
    const hull = v > -0.1 && v < 1.35 && Math.abs(boat.x) < 5.2 - v * v * 0.9
    const sailor =
      Math.hypot(boat.x - 0.7, (v + 2.1) * 0.95) < 0.52 ||
      (Math.abs(boat.x - 0.7 - (v + 1) * 0.16) < 0.62 && v > -1.7 && v < 0)
    const rod = Math.abs(boat.x - 1.1 - (-0.6 - v) * 1.5) < 0.14 && v < -0.6 && v > -4.6
    if (hull || sailor || rod) return { cover: mirror ? 0.5 : 1, colour: [12, 13, 26] }
    if (!tower) return { cover: 0, colour: [0, 0, 0] }
    const light = { x: (x - width * 0.74) / unit, y: (horizon + height * 0.03 - y) / unit }
    const rock =
      light.y < 4.5 - ((light.x - 0.6) / 4.6) ** 2 * 1.9 + fractal(x / 22, y / 30, seed + 8) * 1.6 &&
      light.y > -1.2 + fractal(x / 30, 3, seed) * 0.8 - 0.4
    const shaft = Math.abs(light.x) < 2.25 - light.y * 0.026 && light.y > 3 && light.y < 33
    const gallery = Math.abs(light.x) < 2.5 && light.y >= 33 && light.y < 34.1
    const lantern = Math.abs(light.x) < 1.25 && light.y >= 34.1 && light.y < 37
    const roof = light.y >= 37 && light.y < 39.4 && Math.abs(light.x) < (39.4 - light.y) * 0.75
    if (lantern)
      return {
        cover: 1,
        colour: Math.abs(((light.x + 1.25) % 0.83) - 0.42) > 0.34 ? [40, 26, 30] : [255, 236, 170],
      }
    if (gallery || roof) return { cover: 1, colour: [38, 26, 40] }
    if (shaft) {
      const round = (light.x + 2.25) / 4.5
      const band = Math.floor((light.y - 3) / 6) % 2 === 0
      const wall = band ? ([226, 206, 204] as const) : ([168, 52, 50] as const)
      return {
        cover: 1,
        colour: scale(blend(wall, [250, 176, 130], Math.max(0, 0.5 - round) * 0.5), 0.98 - round * 0.72),
      }
    }
    if (rock) return { cover: 1, colour: scale([48, 40, 58], 0.5 + fractal(x / 12, y / 8, seed + 2)) }
    const beam = Math.exp(-Math.hypot(light.x, light.y - 35.5) / 3.4)
    return { cover: beam * 0.75, colour: [255, 226, 160] }
  }

  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const { cover, colour: thing } = object(x, y)
      const behind = y < horizon ? land(x, y) : water(x, y)
      // The eye is led inwards by corners that are a little darker.
      const corner = 1 - 0.3 * (((x / width - 0.5) * 1.5) ** 2 + ((y / height - 0.5) * 1.3) ** 2)
      const colour = scale(blend(behind, thing, cover), corner)
      const grain = (hash(x + 13, y + 7, seed) - 0.5) * 6
      const at = (y * width + x) * 3
      for (let c = 0; c < 3; c++)
        data[at + c] = Math.max(0, Math.min(255, Math.round((colour[c] as number) + grain)))
    }
  }
  return data
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
