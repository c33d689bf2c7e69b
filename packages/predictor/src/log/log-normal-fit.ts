import { normalTail } from '../normal-tail.js'

export interface LogNormal {
  readonly meanLog: number
  readonly sigma: number
}

/** Of a value above zero, or of one that is known to exceed it. */
export interface Observation {
  readonly value: number
  readonly isCensored: boolean
}

/** Far more than it takes: the change falls by the share of censored values each round. */
const ROUNDS = 200
const SETTLED = 1e-9
/** Beyond it the tail's mean is its bound, to a thousandth. */
const FAR = 30

/**
 * Maximum likelihood of a log-normal with right-censored values, by expectation and maximisation: a censored value
 * stands for `E[x | x > c] = mean + sigma h` and `E[x^2 | x > c]`, h the hazard at z = (c - mean) / sigma.
 * Source: Dempster, Laird and Rubin 1977. Undefined without an uncensored value.
 */
export function fitLogNormal(observations: readonly Observation[]): LogNormal | undefined {
  const logs = observations.map(({ value, isCensored }) => ({ x: Math.log(value), isCensored }))
  const seen = logs.filter(({ isCensored }) => !isCensored)
  if (seen.length === 0) return undefined
  let meanLog = seen.reduce((sum, { x }) => sum + x, 0) / seen.length
  let variance = seen.reduce((sum, { x }) => sum + (x - meanLog) ** 2, 0) / seen.length
  if (seen.length === logs.length) return { meanLog, sigma: Math.sqrt(variance) }
  for (let round = 0; round < ROUNDS; round++) {
    const sigma = Math.sqrt(Math.max(variance, SETTLED))
    let sum = 0
    let squares = 0
    for (const { x, isCensored } of logs) {
      const moments = isCensored ? tailMoments(x, meanLog, sigma) : { mean: x, square: x * x }
      sum += moments.mean
      squares += moments.square
    }
    const before = meanLog
    meanLog = sum / logs.length
    variance = Math.max(0, squares / logs.length - meanLog ** 2)
    if (Math.abs(meanLog - before) < SETTLED) break
  }
  return { meanLog, sigma: Math.sqrt(variance) }
}

function tailMoments(bound: number, mean: number, sigma: number): { mean: number; square: number } {
  const z = (bound - mean) / sigma
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  const hazard = z > FAR ? z : density / normalTail(z)
  const above = mean + sigma * hazard
  return { mean: above, square: mean ** 2 + sigma ** 2 + sigma * hazard * (bound + mean) }
}
