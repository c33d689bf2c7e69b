import { type KnownTransitions, LinkTransitions } from './link-transitions.js'

/** What one tick showed of the link that all sessions share. */
export type LinkObservation =
  /** Nothing in flight: the filter only predicts. */
  | { kind: 'nothing' }
  /** Something came through; `rateRatio` = best session's rate over its forecast, where known. */
  | { kind: 'alive'; rateRatio?: number }
  /** Nothing came through although something was due; `chanceWhenGood` = P(silence this long | link good). */
  | { kind: 'silent'; chanceWhenGood: number }

export interface LinkBelief {
  readonly pGood: number
  readonly pBad: number
  readonly pOutage: number
}

/** METHODS, Risk: point mass at zero, 0.01 good and 0.8 bad; outage is a guess. */
const ZERO = { good: 0.01, bad: 0.8, outage: 0.98 }
/** Guess: ln(rate / forecast) is N(0, 0.5) on a good link, N(ln 1/4, 1) on a bad one. */
const GOOD_SIGMA = 0.5
const BAD_MEAN = Math.log(1 / 4)
const BAD_SIGMA = 1
/** Guess: rates of neighbouring ticks are not independent, so one tick's rate counts no more than this. */
const LEAST_RATE_EVIDENCE = 1 / 4
const MOST_RATE_EVIDENCE = 20

/**
 * Hidden Markov filter (Gilbert-Elliott and a deep outage), one step per tick: predict with the transition matrix,
 * multiply with the likelihood of what was seen, normalise. Source: METHODS, Risk (link state). The rates of change are
 * learned, the likelihoods are fixed. Silence never argues for a good link. Cold start: the stationary distribution of
 * good and bad.
 */
export class LinkState {
  readonly transitions: LinkTransitions
  #belief: LinkBelief = { pGood: 0.91, pBad: 0.07, pOutage: 0.02 }

  constructor(tickMs: number = 250, known?: KnownTransitions) {
    this.transitions = new LinkTransitions(tickMs, known)
  }

  get belief(): LinkBelief {
    return this.#belief
  }

  /** P(bad or outage). */
  get pNotGood(): number {
    return this.#belief.pBad + this.#belief.pOutage
  }

  step(observation: LinkObservation): void {
    const before = this.#belief
    const seen = likelihood(observation)
    const after = weigh(this.#predict(before), seen)
    this.#belief = observation.kind === 'silent' && after.pGood > before.pGood ? before : after
    if (observation.kind !== 'nothing') this.#learn(before, seen)
  }

  /** Evidence that came between ticks. */
  observe(observation: LinkObservation): void {
    this.#belief = weigh(this.#belief, likelihood(observation))
  }

  #predict({ pGood, pBad, pOutage }: LinkBelief): LinkBelief {
    const into = (to: number): number =>
      pGood * this.transitions.perTick(0, to) +
      pBad * this.transitions.perTick(1, to) +
      pOutage * this.transitions.perTick(2, to)
    return { pGood: into(0), pBad: into(1), pOutage: into(2) }
  }

  #learn(before: LinkBelief, seen: Likelihood): void {
    const from = [before.pGood, before.pBad, before.pOutage]
    const to = [seen.good, seen.bad, seen.outage]
    const weight = (i: number, j: number): number => (from[i] ?? 0) * this.transitions.perTick(i, j) * (to[j] ?? 0)
    let sum = 0
    for (let i = 0; i < from.length; i++) for (let j = 0; j < to.length; j++) sum += weight(i, j)
    if (sum > 0) this.transitions.learn((i, j) => weight(i, j) / sum)
  }
}

interface Likelihood {
  good: number
  bad: number
  outage: number
}

function likelihood(observation: LinkObservation): Likelihood {
  switch (observation.kind) {
    case 'nothing':
      return { good: 1, bad: 1, outage: 1 }
    case 'silent': {
      const good = Math.min(1, Math.max(ZERO.good, observation.chanceWhenGood))
      return { good, bad: Math.max(ZERO.bad, good), outage: Math.max(ZERO.outage, good) }
    }
    case 'alive': {
      const slow = observation.rateRatio === undefined ? 1 : slownessEvidence(observation.rateRatio)
      return { good: 1 - ZERO.good, bad: (1 - ZERO.bad) * slow, outage: 1 - ZERO.outage }
    }
  }
}

/** Density of the rate on a bad link over that on a good one, bounded. */
function slownessEvidence(rateRatio: number): number {
  const logRatio = Math.min(0, Math.log(Math.max(rateRatio, Number.MIN_VALUE)))
  const logBad = -0.5 * ((logRatio - BAD_MEAN) / BAD_SIGMA) ** 2 - Math.log(BAD_SIGMA)
  const logGood = -0.5 * (logRatio / GOOD_SIGMA) ** 2 - Math.log(GOOD_SIGMA)
  return Math.min(MOST_RATE_EVIDENCE, Math.max(LEAST_RATE_EVIDENCE, Math.exp(logBad - logGood)))
}

/** Keeps every state possible, so that no certainty is beyond recall. */
function weigh(belief: LinkBelief, l: Likelihood): LinkBelief {
  const least = 1e-6
  const good = Math.max(least, belief.pGood * l.good)
  const bad = Math.max(least, belief.pBad * l.bad)
  const outage = Math.max(least, belief.pOutage * l.outage)
  const sum = good + bad + outage
  return { pGood: good / sum, pBad: bad / sum, pOutage: outage / sum }
}
