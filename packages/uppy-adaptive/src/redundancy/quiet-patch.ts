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
  /** From one of these times to the next, as of late. */
  readonly usualGapMs: number
  /** Of the PATCHes before; undefined while none has brought anything. */
  readonly goodputBytesPerSecond: number | undefined
  /** Fresh connections in a row that brought nothing. */
  readonly freshTries: number
}

/** DESIGN 5.3: what was handed over runs so far ahead of the wire (measured: 4 to 5 MB in Node and Chromium). */
export const AHEAD_BYTES = 5_000_000
/** Guess: after so many reports the rhythm is known, and buffers' first fill forgotten. */
const RHYTHM_REPORTS = 12
/** A rhythm is broken after so many of its gaps: buffers take more when a third of them is free, and empty whole at the end (doubled). */
const RHYTHM_GAPS = 6
/** The least silence before a connection is given up; doubled by each that was in vain (guess: five usual starts). */
const LEAST_SILENCE_MS = 1_500
const LONGEST_SILENCE_MS = 24_000
/** After the last byte the server may have work to do, such as storing it elsewhere (guess); doubled likewise. */
const ANSWER_MS = 5_000

/** The least that stands between us and the path: Node hands over 16 KiB at once, and each side's socket takes some. */
const LEAST_BUFFERED_BYTES = 65_536
/** A path of which nothing is known may be as slow as this, bytes per second (guess: GPRS). */
const SLOWEST_BYTES_PER_SECOND = 5_000
/** On such a path buffers hold so much of what was handed over, whatever was told (measured: 104,000; and to spare). */
const UNTOLD_BYTES = 131_072
/** It may be as slow as this where its server's answers do not say otherwise (guess: GPRS with a poor signal). */
const LEAST_BYTES_PER_SECOND = 2_000
/** However slow it may be: for so long a connection may be dead beside a server that answers (guess: 240 kB at that rate). */
const LONGEST_UNKNOWN_MS = 120_000
/** The least that goes to the server with a question (measured in Node: 75 of HTTP, without TCP's own). */
const QUESTION_BYTES = 64

/** How long a PATCH may stand still whatever suspicion says: while buffers fill, and while they empty. */
export function estimatePatienceMs(patch: QuietPatch): number {
  const { handedBytes, movingMs, freshTries } = patch
  const leastMs = Math.min(LONGEST_SILENCE_MS, LEAST_SILENCE_MS * 2 ** freshTries)
  const isWhole = handedBytes >= patch.sizeBytes
  if (!isWhole && patch.reports >= RHYTHM_REPORTS) return Math.max(leastMs, RHYTHM_GAPS * patch.usualGapMs)
  const emptyingMs = estimateEmptyingMs(patch)
  if (!isWhole) return Math.max(leastMs, movingMs, emptyingMs)
  return leastMs + emptyingMs + ANSWER_MS * 2 ** freshTries
}

/** Twice what buffers take to empty, at most: what fills them is given at once, and says nothing of the path. */
function estimateEmptyingMs({ handedBytes, movingMs, reports, goodputBytesPerSecond }: QuietPatch): number {
  const buffered = Math.max(LEAST_BUFFERED_BYTES, Math.min(handedBytes, AHEAD_BYTES))
  const emptyingAt = (rate: number) => (2_000 * buffered) / Math.max(1, rate)
  if (goodputBytesPerSecond !== undefined) return emptyingAt(goodputBytesPerSecond)
  const rateOf = (bytes: number) => (bytes * 1_000) / Math.max(1, movingMs)
  if (reports >= RHYTHM_REPORTS) return emptyingAt(rateOf(handedBytes))
  const seen = rateOf(Math.max(0, handedBytes - AHEAD_BYTES))
  return Math.min(LONGEST_SILENCE_MS, emptyingAt(Math.max(seen, SLOWEST_BYTES_PER_SECOND)))
}

/**
 * How long it may stand still although its server answers others. Where nothing is known of the path these answers tell
 * how slow it may be, even one that lets the small go first: a question was sent and answered in the time they took. Not
 * after an outage: then it is TCP that waits.
 */
function estimateBesideAnswersMs(silence: Silence): number {
  const patienceMs = estimatePatienceMs(silence)
  const { goodputBytesPerSecond, reports, wasOut, handedBytes } = silence
  if (goodputBytesPerSecond !== undefined || reports >= RHYTHM_REPORTS || wasOut) return patienceMs
  const buffered = Math.max(UNTOLD_BYTES, Math.min(handedBytes, AHEAD_BYTES))
  const rate = Math.max(LEAST_BYTES_PER_SECOND, (1_000 * QUESTION_BYTES) / silence.fastestAnswerMs)
  return Math.max(patienceMs, Math.min(LONGEST_UNKNOWN_MS, (1_000 * buffered) / rate))
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
  /** The shortest time in which it has answered one during this upload; infinite when it has answered none. */
  readonly fastestAnswerMs: number
  /** Questions of this silence were lost, and are answered now, promptly. */
  readonly wasOut: boolean
}

/**
 * Why a PATCH that stands still is to go on over a fresh connection; undefined: it is left as it is. A plain server has no
 * other remedy, and a slow path is no reason: what was handed over of the old one's is sent again.
 */
export function decideFreshConnection(silence: Silence): string | undefined {
  if (silence.quietMs < estimateBesideAnswersMs(silence) || silence.phi < IN_DOUBT_PHI) return undefined
  if (isOfConnection(silence) && silence.freshTries === 0) return describeBackedOff(silence)
  return silence.answersElsewhere && silence.phi >= ABANDON_PHI ? describeAnswered(silence) : undefined
}
