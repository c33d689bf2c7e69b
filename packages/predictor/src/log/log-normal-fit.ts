import { refine } from '../censored-normal.js'

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

/**
 * Maximum likelihood of a log-normal with right-censored values, by expectation and maximisation from the mean and
 * spread of the uncensored ones. Undefined without an uncensored value.
 */
export function fitLogNormal(observations: readonly Observation[]): LogNormal | undefined {
  const logs = observations.map(({ value, isCensored }) => ({ log: Math.log(value), censored: isCensored }))
  const seen = logs.filter(({ censored }) => !censored)
  if (seen.length === 0) return undefined
  let { mean, variance } = refine(seen, { mean: 0, sigma: 1 })
  for (let round = 0; round < ROUNDS && seen.length < logs.length; round++) {
    const before = mean
    ;({ mean, variance } = refine(logs, { mean, sigma: Math.sqrt(Math.max(variance, SETTLED)) }))
    if (Math.abs(mean - before) < SETTLED) break
  }
  return { meanLog: mean, sigma: Math.sqrt(variance) }
}
