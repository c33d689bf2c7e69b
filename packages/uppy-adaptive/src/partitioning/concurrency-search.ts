import { decideMore, isBelow, STEEP } from './more-sessions.js'
import type { RateSample } from './rate-window.js'
import { RateWindow } from './rate-window.js'
import { SessionTrial, type TrialVerdict } from './session-trial.js'
import { TrialRest } from './trial-rest.js'

/** What has flowed up to a moment, over all sessions of one upload. */
export interface FlowSample {
  readonly nowMs: number
  /** Acknowledged so far, each byte once. */
  readonly ackedBytes: number
  /** Servers that may have a session: one each needs no trial, as each has a path of its own. */
  readonly hosts: number
  /** Sessions that have bytes to send. */
  readonly sending: number
  /** How many more could send: there are bytes for them, and paths without a standing queue. */
  readonly room: number
  /** Each session has a window of its own that is known to be small (HTTP/2): more of them carry more. Else the rates are to say. */
  readonly hasSmallWindows: boolean
  /** No path in use has a standing queue. */
  readonly isQuiet: boolean
  /** Each path in use has a standing queue: more connections would only take a larger share from others. Never where the sessions share one. */
  readonly isFull: boolean
  readonly requestRttMs: number
  /** The shortest that was seen on these paths: without a queue. */
  readonly minRequestRttMs: number
}

export interface ConcurrencyChange {
  readonly kind: 'add' | 'keep' | 'giveBack' | 'restore' | 'leave'
  /** Sessions that may send from now on. */
  readonly limit: number
  readonly reason:
    | 'window'
    | 'unsteady'
    | 'below'
    | 'quiet'
    | 'ramp'
    | 'pays'
    | 'no gain'
    | 'full'
    | 'no loss'
    | 'loss'
    | 'unused'
  /** Rates before and after what was tried, bytes per second; null while nothing is compared. */
  readonly beforeBytesPerSecond: number | null
  readonly afterBytesPerSecond: number | null
}

type Outcome = Pick<ConcurrencyChange, 'kind' | 'limit' | 'reason'>

/** A level is watched for so long before another is tried (guess: three samples). */
const LEVEL_MS = 750
const LEVEL_SAMPLES = 3
/** And for so many round trips: in less, a connection that starts is no level, and pieces that end are no loss (guess). */
const LEVEL_RTTS = 4
/** The same where each session has a small window: a wrong trial costs requests alone (guess). */
const WINDOW_LEVEL_MS = 500
const WINDOW_LEVEL_SAMPLES = 2
/** Fewer send than may for so long: nobody is there to send (guess). */
const UNUSED_MS = 1_500
/** A gap between samples this long was a sleep. */
const PAUSE_MS = 1_500

/**
 * How many sessions of one upload send at once: one to each host, and more where the paths have no standing queue, kept
 * while the sum grows by more than the noise, and given back otherwise; where there is a standing queue, one is given back
 * unless the sum falls.
 */
export class ConcurrencySearch {
  readonly #max: number
  /** Beyond one to each host: a host more or less changes the sum, and not what was found. */
  #extra = 0
  #hosts = 1
  #isRamping = true
  /** The last number that was tried has paid: the next one needs no other reason. */
  #hasPaid = false
  #rates = new RateWindow()
  #last: FlowSample | undefined
  #levelSinceMs: number | undefined
  #trial: SessionTrial | undefined
  #unusedSinceMs: number | undefined
  #quietSinceMs: number | undefined
  readonly #up = new TrialRest()
  readonly #down = new TrialRest()

  /** @param max sessions at most, from 1 */
  constructor(max: number) {
    this.#max = max
  }

  /** Sessions that may send now. */
  get limit(): number {
    return this.limitOf(this.#hosts)
  }

  /** The same with so many hosts. */
  limitOf(hosts: number): number {
    return Math.max(1, Math.min(this.#max, hosts + this.#extra))
  }

  /** A number is being tried that may be given back. */
  get isTrying(): boolean {
    return this.#trial?.isUp ?? false
  }

  /** Less flows than shortly before: time to ask whether the paths have a queue. */
  get isBelow(): boolean {
    return isBelow(this.#rates, this.#last?.minRequestRttMs ?? 0)
  }

  /** Told four times a second; says what is changed, and why. */
  observe(sample: FlowSample): ConcurrencyChange | undefined {
    const last = this.#last
    this.#last = sample
    this.#levelSinceMs ??= sample.nowMs
    if (sample.hosts !== this.#hosts) this.#meet(sample)
    if (!last || sample.nowMs <= last.nowMs) return undefined
    if (sample.nowMs - last.nowMs > PAUSE_MS) return this.#startOver(sample)
    const unused = this.#leaveUnused(sample)
    if (unused || sample.sending < this.limit) {
      this.#rates.interrupt()
      return unused
    }
    if (!sample.isQuiet) this.#quietSinceMs = undefined
    else this.#quietSinceMs ??= sample.nowMs
    this.#rates.add({ fromMs: last.nowMs, toMs: sample.nowMs, bytes: sample.ackedBytes - last.ackedBytes })
    return this.#trial ? this.#judge(this.#trial, sample) : this.#consider(sample)
  }

  /** Other hosts are another level; what was tried is not known any more. */
  #meet({ hosts, nowMs }: FlowSample): void {
    this.#dropTrial()
    this.#hosts = Math.max(1, hosts)
    this.#levelSinceMs = nowMs
  }

  /** The machine slept: nothing before is comparable. */
  #startOver({ nowMs }: FlowSample): undefined {
    this.#rates = new RateWindow()
    this.#levelSinceMs = nowMs
    this.#dropTrial()
  }

  #dropTrial(): void {
    if (this.#trial?.isUp) this.#setLimit(this.#trial.from)
    this.#trial = undefined
  }

  #setLimit(limit: number): void {
    this.#extra = limit - this.#hosts
  }

  #leaveUnused({ nowMs, sending }: FlowSample): ConcurrencyChange | undefined {
    const least = Math.min(this.limit, this.#hosts)
    if (sending >= this.limit || this.limit === least) {
      this.#unusedSinceMs = undefined
      return undefined
    }
    this.#unusedSinceMs ??= nowMs
    if (nowMs - this.#unusedSinceMs < UNUSED_MS) return undefined
    this.#trial = undefined
    this.#unusedSinceMs = undefined
    return this.#settle(nowMs, { kind: 'leave', limit: Math.max(least, sending), reason: 'unused' })
  }

  #consider(sample: FlowSample): ConcurrencyChange | undefined {
    const { nowMs } = sample
    const sinceMs = this.#levelSinceMs ?? nowMs
    const level = this.#rates.since(sinceMs)
    const leastMs = Math.max(LEVEL_RTTS * sample.minRequestRttMs, sample.hasSmallWindows ? WINDOW_LEVEL_MS : LEVEL_MS)
    if (nowMs - sinceMs < leastMs) return undefined
    if (level.samples < (sample.hasSmallWindows ? WINDOW_LEVEL_SAMPLES : LEVEL_SAMPLES)) return undefined
    if (this.#rates.trend(STEEP) === 'rising') return undefined
    if (sample.isFull) {
      if (this.limit <= this.#hosts || this.#down.isOn(nowMs)) return undefined
      return this.#begin(sample, { to: this.limit - 1, before: level, reason: 'full' })
    }
    if (sample.room <= 0 || this.limit >= this.#max || this.#up.isOn(nowMs)) return undefined
    const levelMs = nowMs - sinceMs
    const quietMs = Math.min(levelMs, nowMs - (this.#quietSinceMs ?? nowMs))
    const { hosts, hasSmallWindows, minRequestRttMs } = sample
    const wanted = decideMore({
      ...{ nowMs, level, levelMs, quietMs, hosts, hasSmallWindows, minRequestRttMs, rates: this.#rates },
      ...{ limit: this.limit, isRamping: this.#isRamping, hasPaid: this.#hasPaid },
    })
    if (!wanted) return undefined
    // as many as would carry it are not doubled
    if (wanted.reason === 'below') this.#isRamping = false
    const to = Math.min(wanted.limit, this.limit + sample.room, this.#max)
    return this.#begin(sample, { ...wanted, to })
  }

  #begin(
    { nowMs, hasSmallWindows }: FlowSample,
    o: { to: number; before: RateSample; reason: ConcurrencyChange['reason'] },
  ): ConcurrencyChange {
    const { to, before, reason } = o
    this.#trial = new SessionTrial({ from: this.limit, to, before, nowMs, hasSmallWindows })
    this.#setLimit(to)
    const kind = this.#trial.isUp ? 'add' : 'giveBack'
    return { kind, limit: to, reason, beforeBytesPerSecond: before.mean, afterBytesPerSecond: null }
  }

  #judge(trial: SessionTrial, { nowMs, sending, requestRttMs }: FlowSample): ConcurrencyChange | undefined {
    // who is given back still ends what it has
    if (!trial.isUp && sending > this.limit) {
      trial.delay(nowMs)
      return undefined
    }
    const verdict = trial.judge(this.#rates, requestRttMs)
    if (!verdict) return undefined
    this.#trial = undefined
    const change = trial.isUp ? this.#endUp(trial, verdict, nowMs) : this.#endDown(trial, verdict, nowMs)
    const rates = { beforeBytesPerSecond: trial.before.mean, afterBytesPerSecond: verdict.after.mean }
    // what was measured at a number that stays is the next level's already
    return { ...this.#settle(verdict.holds ? verdict.settledAtMs : nowMs, change), ...rates }
  }

  #endUp({ from, to }: SessionTrial, verdict: TrialVerdict, nowMs: number): Outcome {
    this.#hasPaid = verdict.holds
    this.#isRamping &&= verdict.holds && verdict.hasRoomToRamp
    if (verdict.holds) {
      this.#up.end()
      // what has just paid is not tried without soon
      this.#down.begin(nowMs)
      return { kind: 'keep', limit: to, reason: 'pays' }
    }
    this.#up.begin(nowMs)
    return { kind: 'giveBack', limit: from, reason: 'no gain' }
  }

  #endDown({ from, to }: SessionTrial, { holds }: TrialVerdict, nowMs: number): Outcome {
    if (holds) {
      this.#isRamping = false
      this.#hasPaid = false
      return { kind: 'keep', limit: to, reason: 'no loss' }
    }
    this.#down.begin(nowMs)
    return { kind: 'restore', limit: from, reason: 'loss' }
  }

  #settle(sinceMs: number, o: Outcome): ConcurrencyChange {
    this.#setLimit(o.limit)
    this.#levelSinceMs = sinceMs
    return { ...o, beforeBytesPerSecond: null, afterBytesPerSecond: null }
  }
}
