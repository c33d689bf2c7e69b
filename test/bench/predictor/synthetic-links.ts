import { LinkTrace } from './link-trace.js'

type Random = () => number

/** Links without a recording; their constants are those fitted on real ones (METHODS, Risk) or guesses. */
export function syntheticLinks(random: Random): LinkTrace[] {
  return [steady(random), lteLike(random), deepOutages(random), randomWalk(random)]
}

const LENGTH_MS = 600_000

/** 8 Mbit/s, within 5 %. */
function steady(random: Random): LinkTrace {
  return inSteps('synthetic-steady', 500, () => 8 * (0.95 + 0.1 * random()))
}

/** Gilbert-Elliott: per second good to bad 0.03, back 0.3; good 6 Mbit/s log-normal (sigma 0.4), bad a tenth, a third of it zero. */
function lteLike(random: Random): LinkTrace {
  let isBad = false
  return inSteps('synthetic-lte', 100, () => {
    if (random() < (isBad ? 0.03 : 0.003)) isBad = !isBad
    const rate = 6 * Math.exp(0.4 * normal(random))
    if (!isBad) return rate
    return random() < 1 / 3 ? 0 : rate / 10
  })
}

/** 5 Mbit/s with an outage of 2 to 30 s about each 100 s. */
function deepOutages(random: Random): LinkTrace {
  let outageSteps = 0
  return inSteps('synthetic-outages', 100, () => {
    if (outageSteps > 0) outageSteps -= 1
    else if (random() < 0.001) outageSteps = Math.round(20 * 15 ** random())
    return outageSteps > 0 ? 0 : 5 * (0.8 + 0.4 * random())
  })
}

/** ln rate walks by sigma 0.12 each half second around 4 Mbit/s, drawn back by 2 %. */
function randomWalk(random: Random): LinkTrace {
  let log = 0
  return inSteps('synthetic-walk', 500, () => {
    log = 0.98 * log + 0.12 * normal(random)
    return 4 * Math.exp(log)
  })
}

function inSteps(name: string, durationMs: number, mbps: () => number): LinkTrace {
  return new LinkTrace(
    name,
    Array.from({ length: LENGTH_MS / durationMs }, () => ({ durationMs, mbps: mbps() })),
  )
}

/** Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
