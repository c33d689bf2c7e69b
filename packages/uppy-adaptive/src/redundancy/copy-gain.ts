import { seconds } from './reason-words.js'

/** What is at stake when a session's missing bytes are sent by another server as well. Times in milliseconds. */
export interface CopyStakes {
  /** P(this server or its path fails the session | link good), and P(alive but slow, and others are not). */
  readonly server: number
  readonly straggle: number
  /** Its store is in suspicion already: nobody asks any more whose trouble it is. */
  readonly storeIsSuspect: boolean
  readonly gapMs: number
  /** Until it has sent what is missing. Grows with its silence, so that the silence is not added again. */
  readonly expectedRemainingMs: number
  /** Until another server would have it, its start included. */
  readonly alternativeMs: number
  /** Without a copy the session is given up, and the same bytes are sent again all the same. */
  readonly isGivenUp: boolean
}

/** What a copy is expected to save and to cost. */
export interface CopyGain {
  /** P(the trouble is the server's): what the link shares counts for nothing. */
  readonly pServer: number
  /** Saved if the trouble is the server's, milliseconds. */
  readonly savedMs: number
  /** Taken from the others on the link if it is not, milliseconds. */
  readonly costMs: number
  /** 0 to 1: what it saves in the mean, as a share of that and of what it costs in the mean. */
  readonly worth: number
}

/** Of a copy's worth; measured, see docs/predictor.md. */
export const DEFAULT_THRESHOLD = 0.7

export interface CopyRefusal {
  readonly code: 'risk' | 'gain'
  readonly reason: string
}

/**
 * A server that nothing speaks against is blamed with what its history says, at most 0.15 (predictor), and rightly in one
 * of ten silences. Twice that is evidence: without this bound, silence alone starts copies while the user's own link is out.
 */
const LEAST_P_SERVER = 0.3
/** A silence with a heavy tail is expected to last as long again (Pareto's mean residual life at shape 2). */
const SILENCE_TIMES = 2
/** A slow session is believed to be this much slower than another server would be; beyond, a rate says little of what comes. */
const SLOWER_TIMES = 2
/** Less is noise between equal servers (guess: two ticks). */
const LEAST_SAVED_MS = 500

/**
 * The expected gain of a copy, in odds: `worth = P saved / (P saved + (1 − P) cost)`, with
 * `P = 1 − (1 − server)(1 − straggle)`, `saved = min(expected remaining, 2 gap + 2 alternative) − alternative` and
 * `cost = alternative`: a copy that was not needed keeps the others on the link waiting for about as long as it takes.
 * So one that saves what it costs is worth P, and a cost-optimal threshold would be 0.5 if P were exact (METHODS,
 * Scheduling: C / (C + time saved)). What is given up otherwise costs nothing. Chosen by `npm run bench:predictor`
 * (docs/predictor.md): the remaining time that a rate fading with the silence projects is worth nothing beyond the bound.
 */
export function estimateCopyGain(o: CopyStakes): CopyGain {
  const pServer = o.storeIsSuspect ? 1 : 1 - (1 - o.server) * (1 - o.straggle)
  const leftMs = Math.min(o.expectedRemainingMs, SILENCE_TIMES * o.gapMs + SLOWER_TIMES * o.alternativeMs)
  const savedMs = Math.max(0, leftMs - o.alternativeMs)
  if (o.isGivenUp) return { pServer, savedMs, costMs: 0, worth: 1 }
  const costMs = o.alternativeMs
  const meanSavedMs = pServer * savedMs
  const worth = meanSavedMs === 0 ? 0 : meanSavedMs / (meanSavedMs + (1 - pServer) * costMs)
  return { pServer, savedMs, costMs, worth }
}

/** Why the copy does not pay at this threshold of its worth; undefined where it does. */
export function refuseGain(gain: CopyGain, o: { threshold: number; isGivenUp: boolean }): CopyRefusal | undefined {
  if (o.isGivenUp) return undefined
  const { pServer, savedMs, worth } = gain
  const isOfRisk = pServer < LEAST_P_SERVER
  if (isOfRisk) return { code: 'risk', reason: `it may be the link: the server's trouble at ${percent(pServer)}` }
  if (savedMs < LEAST_SAVED_MS) return { code: 'gain', reason: `it would save ${seconds(savedMs)}` }
  if (worth >= o.threshold) return undefined
  return { code: 'gain', reason: `${describeGain(gain)}: worth ${worth.toFixed(2)}, which is below ${o.threshold}` }
}

/** For the log. */
export function describeGain({ pServer, savedMs, costMs }: CopyGain): string {
  return `it saves ${seconds(savedMs)} at ${percent(pServer)} and costs ${seconds(costMs)} else`
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}
