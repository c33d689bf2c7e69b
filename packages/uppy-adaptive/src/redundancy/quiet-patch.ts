import {
  ABANDON_PHI,
  describeAnswered,
  describeBackedOff,
  IN_DOUBT_PHI,
  isOfConnection,
  type SessionRisk,
} from './hedge-policy.js'

/** A PATCH whose server says nothing before its answer. Times in milliseconds. */
export interface QuietPatch {
  readonly sizeBytes: number
  /** Of these, given to the network. */
  readonly handedBytes: number
  /** From its begin to the last byte given. */
  readonly movingMs: number
  /** How often more was given so far. */
  readonly reports: number
  /** Of the PATCHes before; undefined without one that was answered. */
  readonly goodputBytesPerSecond: number | undefined
  /** Fresh connections in a row that brought nothing. */
  readonly freshTries: number
}

/** DESIGN 5.3: what was handed over runs so far ahead of the wire (measured: 4 to 5 MB in Node and Chromium). */
export const AHEAD_BYTES = 5_000_000
/** Guess: after so many reports the rhythm is known, and buffers' first fill forgotten. */
const RHYTHM_REPORTS = 12
/** The least silence before a connection is given up; doubled by each that was in vain (guess: five usual starts). */
const LEAST_SILENCE_MS = 1_500
const LONGEST_SILENCE_MS = 24_000
/** After the last byte the server may have work to do, such as storing it elsewhere (guess); doubled likewise. */
const ANSWER_MS = 5_000

/** How long a PATCH may stand still whatever suspicion says: while buffers fill, and while they empty after its last byte. */
export function estimatePatienceMs(patch: QuietPatch): number {
  const { handedBytes, movingMs, freshTries } = patch
  const leastMs = Math.min(LONGEST_SILENCE_MS, LEAST_SILENCE_MS * 2 ** freshTries)
  if (handedBytes < patch.sizeBytes) return patch.reports >= RHYTHM_REPORTS ? leastMs : Math.max(leastMs, movingMs)
  const rate = patch.goodputBytesPerSecond ?? (handedBytes * 1000) / Math.max(1, movingMs)
  const drainMs = (Math.min(handedBytes, AHEAD_BYTES) * 1000) / Math.max(1, rate)
  return leastMs + 2 * drainMs + ANSWER_MS * 2 ** freshTries
}

/** Its last byte was given to the network, and buffers empty: such a silence says nothing yet, and nobody is to be asked. */
export function isDraining(patch: QuietPatch & Pick<Silence, 'quietMs'>): boolean {
  return patch.handedBytes >= patch.sizeBytes && patch.quietMs < estimatePatienceMs(patch) / 2
}

/** What is known of a PATCH that stands still. Suspicion is the risk model's. */
export interface Silence extends QuietPatch, Pick<SessionRisk, 'server' | 'connection' | 'phi' | 'gapMs'> {
  /** Since more of it was given to the network. */
  readonly quietMs: number
  /** The server has answered a small request well after the silence began. */
  readonly answersElsewhere: boolean
}

/**
 * Why a PATCH that stands still is to go on over a fresh connection; undefined: it is left as it is. A plain server has no
 * other remedy, and a slow path is no reason: what was handed over of the old one's is sent again.
 */
export function decideFreshConnection(silence: Silence): string | undefined {
  if (silence.quietMs < estimatePatienceMs(silence) || silence.phi < IN_DOUBT_PHI) return undefined
  if (isOfConnection(silence) && silence.freshTries === 0) return describeBackedOff(silence)
  return silence.answersElsewhere && silence.phi >= ABANDON_PHI ? describeAnswered(silence) : undefined
}
