import { CompletionSurvival } from './completion-survival.js'
import { PartitionGoodputs } from './completion-time.js'
import { type FailureEvidence, FailureHistory } from './failure-history.js'
import { Goodput, type KnownGoodput } from './goodput.js'
import { LossProxy } from './loss-proxy.js'
import { RequestRtt } from './request-rtt.js'
import { ServerLoad } from './server-load.js'
import { MEMORY_GAPS, StallSuspicion } from './stall-suspicion.js'
import { StoreHealth } from './store-health.js'
import type { StoreMemory } from './store-memory.js'

/** The floor of the expected gap: acks come as events at most 10 a second (protocol), so 150 ms, or two round trips. */
const GAP_FLOOR_MS = 150
const GAP_ROUND_TRIPS = 2
/** A start adds preflight, TCP and TLS: about four round trips (guess); 600 ms where none was measured (guess). */
const START_FLOOR_MS = 300
const START_ROUND_TRIPS = 4
const UNKNOWN_START_MS = 600
/** A question is a connection and a request, two round trips: half a start. */
const START_ANSWERS = START_ROUND_TRIPS / 2
/** Guess: no store buys more patience than this by answering small requests slowly. */
const MOST_FLOOR_MS = 10_000
/** Guess: in a goodput sample no silence counts as more than this; an outage is not a rate. */
const LONGEST_SAMPLE_MS = 1_000
/** Guess: a store that answers may be asked again after this: each answer dates the silence of others. */
const ANSWERED_PAUSE_MS = 300
/** Guess: an answer that takes so many usual starts has waited for the link. */
const LATE_STARTS = 2
/** Guess: how long an answer tells of the queue on its way. */
const ANSWER_COUNTS_MS = 2_000
/** Guess: unanswered probes are spaced out, up to this. */
const LONGEST_PROBE_PAUSE_MS = 8_000

export interface StoreView {
  /** All sessions of the store together. */
  goodputBytesPerSecond: number | undefined
  requestRttMs: number | undefined
  minRequestRttMs: number | undefined
  rtoMs: number
  /** Smoothed round trip above its windowed minimum. */
  queueingDelayMs: number
  /** Share of progress gaps longer than the RTO: a proxy for loss. To look at: no risk is made of it. */
  lossShare: number | undefined
  /** How busy the store says that it is, 0 to 1. */
  load: number
  /** Per second of transfer of one session. */
  failuresPerSecond: number
  meanTimeBetweenFailuresMs: number
  /** How well these are known: a Gamma distribution of this shape, over so many seconds of transfer. */
  failureShape: number
  failureSeconds: number
  /** How well the goodput is known: standard deviation of its logarithm. */
  goodputSpread: number
  lastHeardMs: number | undefined
  /** Since the last sign of life, first sight or local pause. */
  silentMs: number
}

/** Goodput of several sessions together, over the time in which at least one was in flight. */
export class SharedGoodput {
  readonly #goodput: Goodput
  #sinceMs: number | undefined

  constructor(known?: KnownGoodput) {
    this.#goodput = new Goodput(known)
  }

  get known(): KnownGoodput | undefined {
    return this.#goodput.known
  }

  /** Starts the clock if it stands. */
  started(nowMs: number): void {
    this.#sinceMs ??= nowMs
  }

  acknowledged(o: { nowMs: number; bytes: number; appLimited: boolean }): void {
    const durationMs = Math.min(LONGEST_SAMPLE_MS, o.nowMs - (this.#sinceMs ?? o.nowMs))
    this.#goodput.add({ bytes: o.bytes, durationMs, appLimited: o.appLimited })
    this.#sinceMs = o.nowMs
  }

  /** The last session ended. */
  idle(): void {
    this.#sinceMs = undefined
  }

  /** A local pause: the clock starts anew, and what was gathered is dropped. */
  restart(nowMs: number): void {
    if (this.#sinceMs !== undefined) this.#sinceMs = nowMs
    this.#goodput.discard()
  }

  bytesPerSecond(): number | undefined {
    return this.#goodput.bytesPerSecond()
  }
}

/** Everything that is remembered of one store, across sessions. */
export class StoreRecord {
  readonly goodput: SharedGoodput
  readonly requestRtt: RequestRtt
  readonly failures: FailureHistory
  readonly partitions: PartitionGoodputs
  readonly health: StoreHealth
  readonly load: ServerLoad = new ServerLoad()
  readonly loss: LossProxy = new LossProxy()
  readonly completions: CompletionSurvival
  /** Rhythm of progress, and of first progress, learned from all sessions of the store: their prior. */
  readonly gaps: StallSuspicion
  readonly startGaps: StallSuspicion
  lastHeardMs: number | undefined
  /** Since when silence is counted where the store was never heard, or since a local pause. */
  silentSinceMs: number
  lastLostMs: number = Number.NEGATIVE_INFINITY
  #lostInARow = 0
  #askedMs: number = Number.NEGATIVE_INFINITY
  /** The first question since the last answer or loss. */
  #openSinceMs: number | undefined
  #answeredMs: number = Number.NEGATIVE_INFINITY
  #answerMs = 0

  constructor(nowMs: number, memory?: Partial<StoreMemory>, hazard?: FailureEvidence) {
    this.silentSinceMs = nowMs
    this.health = new StoreHealth(nowMs)
    this.goodput = new SharedGoodput(memory?.goodput)
    this.requestRtt = new RequestRtt(memory?.requestRtt && { ...memory.requestRtt, nowMs })
    this.failures = new FailureHistory(memory?.failures, hazard)
    this.partitions = new PartitionGoodputs(memory?.partitions)
    this.completions = new CompletionSurvival(memory?.completions)
    this.gaps = new StallSuspicion(memory?.gaps, MEMORY_GAPS)
    this.startGaps = new StallSuspicion(memory?.startGaps, MEMORY_GAPS)
  }

  memory(): StoreMemory {
    return {
      failures: this.failures.evidence,
      gaps: this.gaps.known,
      startGaps: this.startGaps.known,
      requestRtt: this.requestRtt.known,
      goodput: this.goodput.known,
      partitions: this.partitions.recent,
      completions: this.completions.recent,
    }
  }

  get gapFloorMs(): number {
    return Math.min(MOST_FLOOR_MS, Math.max(GAP_FLOOR_MS, GAP_ROUND_TRIPS * (this.requestRtt.smoothedMs ?? 0)))
  }

  /** What a start takes while nothing queues. */
  get usualStartMs(): number {
    // the least seen lately: what queues behind our own bytes is in the learned starts already
    const roundTripMs = this.requestRtt.minimumMs(this.lastHeardMs ?? this.silentSinceMs)
    if (roundTripMs === undefined) return UNKNOWN_START_MS
    return Math.min(MOST_FLOOR_MS, Math.max(START_FLOOR_MS, START_ROUND_TRIPS * roundTripMs))
  }

  /** The same, and no less than twice what the last answer took: what small requests wait for now, starts wait for as well. */
  get startFloorMs(): number {
    const isOld = (this.lastHeardMs ?? this.silentSinceMs) - this.#answeredMs > ANSWER_COUNTS_MS
    return isOld
      ? this.usualStartMs
      : Math.min(MOST_FLOOR_MS, Math.max(this.usualStartMs, START_ANSWERS * this.#answerMs))
  }

  view(nowMs: number): StoreView {
    return {
      goodputBytesPerSecond: this.goodput.bytesPerSecond(),
      requestRttMs: this.requestRtt.smoothedMs,
      minRequestRttMs: this.requestRtt.minimumMs(nowMs),
      rtoMs: this.requestRtt.rtoMs,
      queueingDelayMs: this.requestRtt.queueingDelayMs(nowMs),
      lossShare: this.loss.share(),
      load: this.load.share(nowMs),
      failuresPerSecond: this.failures.failuresPerSecond,
      meanTimeBetweenFailuresMs: this.failures.meanTimeBetweenFailuresMs,
      failureShape: this.failures.posterior.failures,
      failureSeconds: this.failures.posterior.seconds,
      goodputSpread: this.partitions.spread(),
      lastHeardMs: this.lastHeardMs,
      silentMs: nowMs - this.silentSinceMs,
    }
  }

  /** Over a connection of its own, or through the session of an upload. */
  heard(nowMs: number, how: 'apart' | 'inSession'): void {
    this.lastHeardMs = nowMs
    this.silentSinceMs = nowMs
    this.#lostInARow = 0
    if (how === 'inSession' || this.#openSinceMs === undefined) return
    this.#answerMs = nowMs - this.#openSinceMs
    this.#openSinceMs = undefined
    this.#answeredMs = nowMs
  }

  /** How long the last answer took, in usual starts; undefined where it is older than 2 s. */
  answerStarts(nowMs: number): number | undefined {
    return nowMs - this.#answeredMs > ANSWER_COUNTS_MS ? undefined : this.#answerMs / this.usualStartMs
  }

  /** A question was answered since then, on a connection of its own. */
  hasAnsweredSince(atMs: number): boolean {
    return this.#answeredMs > atMs
  }

  /** And so soon that nothing held it up: within a usual start, which takes twice as long as an answer. */
  hasAnsweredPromptlySince(atMs: number): boolean {
    return this.hasAnsweredSince(atMs) && this.#answerMs <= this.usualStartMs
  }

  /** @returns when it was asked, as far as is known */
  probeLost(nowMs: number): number | undefined {
    const askedMs = this.#openSinceMs
    this.#openSinceMs = undefined
    this.lastLostMs = nowMs
    this.#lostInARow += 1
    return askedMs
  }

  /** What was lost was the link's. */
  mayBeAskedAnew(): void {
    this.#lostInARow = 0
  }

  /** It has been asked, and for so long since then that an answer now comes late: more than two usual starts. */
  isOverdue(nowMs: number, sinceMs: number): boolean {
    if (this.#openSinceMs === undefined) return false
    return nowMs - Math.max(this.#openSinceMs, sinceMs) > LATE_STARTS * this.usualStartMs
  }

  /** Heard within its own retransmission timeout. */
  isFresh(nowMs: number): boolean {
    return this.lastHeardMs !== undefined && nowMs - this.lastHeardMs <= this.requestRtt.rtoMs
  }

  /** True at most each 300 ms, or once per RTO, while probes are answered; else once per RTO, doubled for each probe lost in a row (RFC 6298 section 5.5), at most 8 s. */
  mayBeAsked(nowMs: number): boolean {
    const lost = this.#lostInARow
    const backOffMs = Math.min(LONGEST_PROBE_PAUSE_MS, this.requestRtt.rtoMs * 2 ** Math.min(8, lost))
    const pauseMs = lost === 0 ? Math.min(ANSWERED_PAUSE_MS, backOffMs) : backOffMs
    if (nowMs - this.#askedMs < pauseMs) return false
    this.#askedMs = nowMs
    this.#openSinceMs ??= nowMs
    return true
  }
}
