import { estimateRemainingMs } from './completion-time.js'
import { Ewma } from './ewma.js'
import { PredictionSamples } from './recalibration.js'
import { type CourseNow, SessionCourse } from './session-course.js'
import { SilenceWitness } from './silence-witness.js'
import { StallSuspicion } from './stall-suspicion.js'
import type { StoreRecord } from './store-record.js'

/** Guess: recent rate. Short, so that a fall to a twentieth shows within a second; never under three expected gaps. */
const RECENT_HALF_LIFE_MS = 500
const RECENT_GAPS = 3
/** Guess: the session's own forecast. Long, so that it does not follow a fall; after some 30 s slow is the new normal. */
const FORECAST_HALF_LIFE_MS = 8_000
/** Guess: what the store taught weighs as much as two seconds of the session itself. */
const PRIOR_FORECAST_MS = 2_000
/** Guess: acks closer than this make one rate sample. */
const MIN_SAMPLE_MS = 50
/** Guess: slowness is not judged in the first 250 ms after a (re)start, fully after 1.25 s: slow start. */
const WARM_FROM_MS = 250
const WARM_WITHIN_MS = 1_000

/** METHODS: watch. Gaps beyond it are not learned while the link is thought bad. */
const SUSPECT_PHI = 1

export interface Acknowledgement {
  nowMs: number
  bytes: number
  appLimited: boolean
  sessionsInFlight: number
  /** The link is more likely bad than good. */
  linkSuspect: boolean
}

/** Everything that is known of one session in flight. O(1), freed with it. */
export class SessionRecord {
  readonly storeKey: string
  readonly store: StoreRecord
  readonly startedMs: number
  readonly witness: SilenceWitness
  readonly course: SessionCourse
  readonly samples: PredictionSamples
  lastProgressMs: number
  ackedBytes = 0
  /** What it is to send in all, as last told. */
  totalBytes: number
  /** ln of the link's pace that the plan was made of over its usual pace. */
  readonly optimism: number
  /** The highest risk told in this silence, and of how many bytes in all. */
  #held: { risk: number; totalBytes: number } = { risk: 0, totalBytes: 0 }
  readonly #gaps: StallSuspicion
  readonly #forecast: Ewma = new Ewma(FORECAST_HALF_LIFE_MS)
  /** Mean number of sessions in flight, over the same time as the forecast. */
  readonly #concurrency: Ewma = new Ewma(FORECAST_HALF_LIFE_MS)
  #recent: Ewma = new Ewma(RECENT_HALF_LIFE_MS)
  /** No progress yet since the start or a local pause: the first bytes carry connection setup. */
  #starting = true
  /** The first progress after a local pause teaches nothing. */
  #resuming = false
  #sampleSinceMs: number
  #sampleBytes = 0
  #warmSinceMs: number

  constructor(o: { nowMs: number; storeKey: string; store: StoreRecord; rangeBytes: number; optimism: number }) {
    this.storeKey = o.storeKey
    this.store = o.store
    this.startedMs = o.nowMs
    this.lastProgressMs = o.nowMs
    this.totalBytes = o.rangeBytes
    this.optimism = o.optimism
    this.#sampleSinceMs = o.nowMs
    this.#warmSinceMs = o.nowMs
    this.witness = new SilenceWitness(o.nowMs)
    this.samples = new PredictionSamples(o.nowMs)
    this.course = new SessionCourse({ nowMs: o.nowMs, history: o.store.completions })
    this.#gaps = new StallSuspicion(o.store.gaps)
  }

  /** No progress yet since its start, or since a local pause. */
  get isStarting(): boolean {
    return this.#starting
  }

  /** Clocks were reset and nothing came since: the next report teaches nothing. */
  get isResuming(): boolean {
    return this.#resuming
  }

  /** Expected gap while moving. */
  get expectedGapMs(): number {
    return this.#gaps.expectedGapMs(this.store.gapFloorMs)
  }

  /** Learned rhythm of progress, with no floor: how often it speaks, not how long it may be silent. */
  get rhythmMs(): number {
    return this.#gaps.expectedGapMs(0)
  }

  /** How soon it should speak again: by its rhythm, or, before its first bytes, when its start is over. */
  get nextWordMs(): number {
    return this.#starting ? Math.max(this.rhythmMs, this.store.startFloorMs) : this.rhythmMs
  }

  /** The gap to expect now: of its start, or while moving. */
  get usualGapMs(): number {
    return this.#starting ? this.store.startGaps.expectedGapMs(this.store.startFloorMs) : this.expectedGapMs
  }

  gapMs(nowMs: number): number {
    return nowMs - this.lastProgressMs
  }

  /** -log10 P(a silence this long | nothing is wrong). */
  phi(silenceMs: number): number {
    return this.#starting
      ? this.store.startGaps.phi(silenceMs, this.store.startFloorMs)
      : this.#gaps.phi(silenceMs, this.store.gapFloorMs)
  }

  expectFromStore(bytesPerSecond: number, sessionsInFlight: number): void {
    this.#forecast.add(bytesPerSecond, PRIOR_FORECAST_MS)
    this.#concurrency.add(sessionsInFlight, PRIOR_FORECAST_MS)
    this.course.planned({ bytesPerSecond, startMs: this.store.usualStartMs })
  }

  /** Planned by others to take so long in all, which counts instead of the forecast. */
  expectToTake(plannedMs: number): void {
    this.course.planned({ bytesPerSecond: (this.totalBytes / plannedMs) * 1000, startMs: 0 })
  }

  /** A silence never lowers a risk, whatever else is learned meanwhile; only progress, or other bytes to send, does. */
  atLeastHeld(risk: number, remainingBytes: number): number {
    return this.#held.totalBytes === this.ackedBytes + remainingBytes ? Math.max(risk, this.#held.risk) : risk
  }

  holdRisk(risk: number): void {
    this.#held = { risk, totalBytes: this.totalBytes }
  }

  acknowledged(o: Acknowledgement): void {
    const gapMs = this.gapMs(o.nowMs)
    const wasStarting = this.#starting
    const unexplained = this.witness.witnessedMs < gapMs / 2
    const suspect = o.linkSuspect && this.phi(gapMs) >= SUSPECT_PHI
    const usual = o.appLimited || this.#resuming || (!suspect && this.#learnGap(gapMs))
    if (!wasStarting && !o.appLimited && !this.#resuming) this.store.loss.add(gapMs, this.store.requestRtt.rtoMs)
    this.#starting = false
    this.#resuming = false
    this.ackedBytes += o.bytes
    this.#progressed(o.nowMs)
    if (o.appLimited) this.course.limitedByUs()
    if (wasStarting || (!usual && unexplained)) this.#restartRate(o.nowMs)
    else if (o.appLimited) this.#restartSample(o.nowMs)
    else this.#sampleRate(o)
  }

  /** Our own clock stood still: whatever happened meanwhile teaches nothing. */
  restartClocks(nowMs: number, pauseMs: number): void {
    this.course.paused(pauseMs, nowMs)
    this.#starting = true
    this.#resuming = true
    this.#progressed(nowMs)
    this.#restartRate(nowMs)
  }

  /** Rate while moving, as of the last progress; undefined until there are samples. */
  movingRate(): number | undefined {
    return this.#recent.estimate()
  }

  /** The recent rate with the silence beyond the expected gap as a sample of zero. */
  currentRate(nowMs: number, coldBytesPerSecond: number): number {
    const rate = this.movingRate() ?? this.#forecast.estimate() ?? coldBytesPerSecond
    const overdueMs = this.gapMs(nowMs) - (this.#starting ? this.store.startFloorMs : this.expectedGapMs)
    return rate * 0.5 ** (Math.max(0, overdueMs) / this.#recentHalfLifeMs)
  }

  /** Forecast of this session's own rate; lower when more sessions share the link than when it was learned. */
  expectedRate(sessionsInFlight: number): number | undefined {
    const forecast = this.#forecast.estimate()
    if (forecast === undefined) return undefined
    const before = this.#concurrency.estimate() ?? sessionsInFlight
    return forecast * Math.min(1, before / Math.max(1, sessionsInFlight))
  }

  /**
   * Planned time of what is missing over the time it takes at best, counted from the last progress: under a half, the
   * session is a straggler whatever happens next (METHODS, finding 3). Undefined without a forecast.
   */
  planRatio(o: { nowMs: number; remainingBytes: number; sessionsInFlight: number }): number | undefined {
    const expected = this.expectedRate(o.sessionsInFlight)
    if (expected === undefined || expected <= 0) return undefined
    const sendingMs = (o.remainingBytes / expected) * 1000
    const plannedMs = Math.max(this.store.usualStartMs, this.expectedGapMs) + sendingMs
    return plannedMs / Math.max(plannedMs, this.gapMs(o.nowMs) + sendingMs)
  }

  /** Where it stands, for its course. */
  courseNow(o: { nowMs: number; remainingBytes: number; trust: number; coldBytesPerSecond: number }): CourseNow {
    const remainingMs = (atMs: number): number =>
      estimateRemainingMs(o.remainingBytes, this.currentRate(atMs, o.coldBytesPerSecond))
    return {
      nowMs: o.nowMs,
      ackedBytes: this.ackedBytes,
      lastProgressMs: this.lastProgressMs,
      remainingBytes: o.remainingBytes,
      remainingAtProgressMs: remainingMs(this.lastProgressMs),
      remainingMs: remainingMs(o.nowMs),
      trust: o.trust,
    }
  }

  /** Rate over forecast, and how far to trust it (0 just after a start, 1 once warm). */
  slowness(sessionsInFlight: number): { ratio: number; trust: number } | undefined {
    const rate = this.movingRate()
    const expected = this.expectedRate(sessionsInFlight)
    if (rate === undefined || expected === undefined || expected <= 0) return undefined
    const warmMs = this.lastProgressMs - this.#warmSinceMs - WARM_FROM_MS
    return { ratio: rate / expected, trust: Math.min(1, Math.max(0, warmMs / WARM_WITHIN_MS)) }
  }

  get #recentHalfLifeMs(): number {
    return Math.max(RECENT_HALF_LIFE_MS, RECENT_GAPS * this.rhythmMs)
  }

  /** Or all clocks began anew. */
  #progressed(nowMs: number): void {
    this.lastProgressMs = nowMs
    this.witness.restart(nowMs)
    this.#held = { risk: 0, totalBytes: 0 }
  }

  #learnGap(gapMs: number): boolean {
    if (this.#starting) return this.store.startGaps.learn(gapMs, this.store.startFloorMs)
    const learned = this.#gaps.learn(gapMs, this.store.gapFloorMs)
    if (learned) this.store.gaps.learn(gapMs, this.store.gapFloorMs)
    return learned
  }

  #sampleRate(o: { nowMs: number; bytes: number; sessionsInFlight: number }): void {
    this.#sampleBytes += o.bytes
    const durationMs = o.nowMs - this.#sampleSinceMs
    if (durationMs < MIN_SAMPLE_MS) return
    const bytesPerSecond = this.#sampleBytes / (durationMs / 1000)
    this.#recent.add(bytesPerSecond, (durationMs * RECENT_HALF_LIFE_MS) / this.#recentHalfLifeMs)
    this.#forecast.add(bytesPerSecond, durationMs)
    this.#concurrency.add(o.sessionsInFlight, durationMs)
    this.#restartSample(o.nowMs)
  }

  #restartSample(nowMs: number): void {
    this.#sampleBytes = 0
    this.#sampleSinceMs = nowMs
  }

  #restartRate(nowMs: number): void {
    this.#recent = new Ewma(RECENT_HALF_LIFE_MS)
    this.#warmSinceMs = nowMs
    this.#restartSample(nowMs)
  }
}
