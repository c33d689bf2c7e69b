import { LinkTrace } from '../bench/predictor/link-trace.js'

type Random = () => number
type Segment = { readonly durationMs: number; readonly mbps: number }

const LENGTH_MS = 600_000
const STEP_MS = 100

/** Links on which what lives looks dead most easily. Their constants are guesses. */
export function harshLinks(random: Random): LinkTrace[] {
  return [tunnels(random), roaming(random), flutter(random), deepFades(random)]
}

/** A train: 20 Mbit/s that fade to a hundredth within 3 s, 4 to 40 s without anything, and 3 s back, about each 90 s. */
function tunnels(random: Random): LinkTrace {
  return fill('harsh-tunnels', () => {
    const fade = Array.from({ length: 30 }, (_, i) => 20 * 0.01 ** (i / 30))
    const open = steady(30_000 + 120_000 * random(), () => 14 + 12 * random())
    return [...open, ...of(fade), { durationMs: 4_000 * 10 ** random(), mbps: 0 }, ...of(fade.reverse())]
  })
}

/** From one access point to another, each 10 to 40 s: 0.2 to 3 s of nothing, then another rate. */
function roaming(random: Random): LinkTrace {
  return fill('harsh-roaming', () => {
    const mbps = 2 * 15 ** random()
    const open = steady(10_000 + 30_000 * random(), () => mbps * (0.7 + 0.6 * random()))
    return [...open, { durationMs: 200 * 15 ** random(), mbps: 0 }]
  })
}

/** The edge of a cell: a second or two of 3 Mbit/s, then nothing for up to a second. */
function flutter(random: Random): LinkTrace {
  return fill('harsh-flutter', () => [
    ...steady(300 + 2_000 * random(), () => 3 * (0.3 + random())),
    { durationMs: 100 * 12 ** random(), mbps: 0 },
  ])
}

/** 5 Mbit/s that fall to between a thirtieth and a thousandth for 3 to 30 s: slow, and never dark. */
function deepFades(random: Random): LinkTrace {
  return fill('harsh-fades', () => {
    const depth = 0.03 * 0.03 ** random()
    return [
      ...steady(10_000 + 50_000 * random(), () => 4 + 2 * random()),
      ...steady(3_000 * 10 ** random(), () => 5 * depth * (0.5 + random())),
    ]
  })
}

function steady(durationMs: number, mbps: () => number): Segment[] {
  return of(Array.from({ length: Math.ceil(durationMs / STEP_MS) }, mbps))
}

function of(rates: readonly number[]): Segment[] {
  return rates.map((mbps) => ({ durationMs: STEP_MS, mbps }))
}

function fill(name: string, next: () => readonly Segment[]): LinkTrace {
  const segments: Segment[] = []
  for (let lengthMs = 0; lengthMs < LENGTH_MS; ) {
    const more = next()
    segments.push(...more)
    lengthMs += more.reduce((sum, { durationMs }) => sum + durationMs, 0)
  }
  return new LinkTrace(name, segments)
}
