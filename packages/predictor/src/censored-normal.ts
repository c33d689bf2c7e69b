import { logNormalTail } from './normal-tail.js'

/** A logarithm, or what it is known to exceed. */
export interface CensoredLog {
  readonly log: number
  readonly censored: boolean
}

export interface Moments {
  readonly mean: number
  readonly variance: number
}

const LOG_ROOT_TWO_PI = 0.5 * Math.log(2 * Math.PI)

/**
 * One round of expectation and maximisation of a normal with right-censored values: a censored one stands for
 * `E[x | x > c] = mean + sigma h` and `E[x^2 | x > c] = mean^2 + sigma^2 + sigma h (mean + c)`, h the hazard of a standard
 * normal at `(c - mean) / sigma`. Source: Dempster, Laird and Rubin 1977; censored normal samples: Wolynetz 1979.
 * `prior`: so many values more, of mean 0 and this variance; default none. Either of them must be there.
 */
export function refine(
  values: readonly CensoredLog[],
  { mean, sigma }: { mean: number; sigma: number },
  prior: { values: number; variance: number } = { values: 0, variance: 0 },
): Moments {
  let sum = 0
  let squares = prior.values * prior.variance
  for (const { log, censored } of values) {
    if (censored) {
      const excess = sigma * hazard((log - mean) / sigma)
      sum += mean + excess
      squares += mean ** 2 + sigma ** 2 + excess * (mean + log)
    } else {
      sum += log
      squares += log ** 2
    }
  }
  const count = values.length + prior.values
  const refined = sum / count
  return { mean: refined, variance: Math.max(0, squares / count - refined ** 2) }
}

/** Density over tail: about z far out, where both underflow. */
function hazard(z: number): number {
  return Math.exp(-(z ** 2) / 2 - LOG_ROOT_TWO_PI - logNormalTail(z))
}
