import { LinkTrace } from './link-trace.js'
import { normal } from './synthetic-links.js'

type Random = () => number

const LENGTH_MS = 300_000
const STEPS_MS = [100, 250, 500, 1_000]
/** Shares of links that turn bad, fall silent and wander (guess); a link may do all three, or none. */
const TURNING = 0.6
const SILENT = 0.4
const WANDERING = 0.6

/**
 * Links to fit weights on: none is recorded, and no two are alike. Every constant is drawn, over a range that holds
 * those fitted on real links (METHODS, Risk), so that the weights depend on none of them.
 */
export function trainingLink(name: string, random: Random): LinkTrace {
  const stepMs = STEPS_MS[Math.floor(random() * STEPS_MS.length)] ?? 250
  const mbps = between(random, 1, 40)
  const noise = between(random, 0.03, 0.5)
  const factors = [turns(random, stepMs), silences(random, stepMs), wanders(random, stepMs)]
  const segments = Array.from({ length: LENGTH_MS / stepMs }, () => {
    const rate = mbps * Math.exp(noise * normal(random) - noise ** 2 / 2)
    return { durationMs: stepMs, mbps: factors.reduce((product, factor) => product * factor(), rate) }
  })
  return new LinkTrace(name, segments)
}

/** Gilbert and Elliott: per second good to bad 0.002 to 0.05, back 0.04 to 0.8; bad is 3 to 50 %, up to half of it nothing. */
function turns(random: Random, stepMs: number): () => number {
  const has = random() < TURNING
  const [toBad, toGood] = [between(random, 0.002, 0.05), between(random, 0.04, 0.8)]
  const depth = between(random, 0.03, 0.5)
  const zero = random() / 2
  let isBad = false
  return () => {
    if (random() < ((isBad ? toGood : toBad) * stepMs) / 1_000) isBad = !isBad
    if (!has || !isBad) return 1
    return random() < zero ? 0 : depth
  }
}

/** Nothing for 2 to 30 s, once in 40 to 600 s. */
function silences(random: Random, stepMs: number): () => number {
  const has = random() < SILENT
  const everyMs = between(random, 40_000, 600_000)
  let leftMs = 0
  return () => {
    if (leftMs > 0) leftMs -= stepMs
    else if (random() < stepMs / everyMs) leftMs = between(random, 2_000, 30_000)
    return has && leftMs > 0 ? 0 : 1
  }
}

/** ln rate walks by sigma 0.03 to 0.25 each half second, drawn back by 0.5 to 6 %. */
function wanders(random: Random, stepMs: number): () => number {
  const has = random() < WANDERING
  const sigma = between(random, 0.03, 0.25) * Math.sqrt(stepMs / 500)
  const back = (between(random, 0.005, 0.06) * stepMs) / 500
  let log = 0
  return () => {
    log = (1 - back) * log + sigma * normal(random)
    return has ? Math.exp(log) : 1
  }
}

/** Log-uniform. */
function between(random: Random, least: number, most: number): number {
  return least * (most / least) ** random()
}
