import type { RateSample } from './rate-window.js'
import { RateWindow } from './rate-window.js'

/** What has flowed up to a moment, over all sessions of one upload. */
export interface FlowSample {
  readonly nowMs: number
  /** Acknowledged so far, each byte once. */
  readonly ackedBytes: number
  /** Sessions that have bytes to send. */
  readonly sending: number
  /** How many more could send: there are bytes for them, and the path has no standing queue. */
  readonly room: number
  /** Each session has a window of its own that is known to be small (HTTP/2): more of them carry more. Else the rates are to say. */
  readonly hasSmallWindows: boolean
  /** The path has a standing queue: more connections would only take a larger share from others. Never where the sessions share one. */
  readonly isFull: boolean
  readonly requestRttMs: number
}

export interface ConcurrencyChange {
  readonly kind: 'add' | 'keep' | 'giveBack' | 'restore' | 'leave'
  /** Sessions that may send from now on. */
  readonly limit: number
  readonly reason:
    | 'window'
    | 'unsteady'
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

/** A number of sessions that is being tried, and what it is compared with. */
interface Trial {
  readonly from: number
  readonly direction: 'up' | 'down'
  readonly before: RateSample
  readonly sinceMs: number
}

/** A level is watched for so long before another is tried (guess: three samples). */
const LEVEL_MS = 750
/** New connections need their slow start: so many round trips, at least this long, are not counted (guess). */
const SETTLE_RTTS = 4
const LEAST_SETTLE_MS = 250
const MOST_SETTLE_MS = 2_000
/** A trial lasts until the difference stands out of the noise, within these bounds (guess). */
const LEAST_TRIAL_MS = 500
const MOST_TRIAL_MS = 2_500
/** Standard errors that stand out (guess: one, as a wrong step costs a trial and no byte). */
const CLEAR = 1
/** Share of what as many more sessions would bring if each brought as much as those before (guess). */
const LEAST_GAIN_SHARE = 0.25
/** Where each session has a small window: more share a connection that stands already, and take nothing from others. First four times as many (guess: nginx's window fills 100 Mbit/s at 40 ms eight times). */
const WINDOW_STEP = 4
/** What they must bring together, as a share of the rate before (guess: twice the error of even rates). */
const LEAST_WINDOW_GAIN = 0.1
/** METHODS, Scheduling: doubled while the last doubling gave 40 % more. */
const RAMP_GAIN_SHARE = 0.4
/** Share of a session's part that may be missing after it was given back (guess). */
const MOST_LOSS_SHARE = 0.3
/** After a fruitless trial: doubled by each in a row (guess). */
const FIRST_REST_MS = 4_000
const LONGEST_REST_MS = 60_000
/** Still rising: a connection that starts up, not a level. */
const RISING = 1.3
/** Rates over the last seconds that vary by this share are not a link's own pace: bytes are lost on it (measured: up to 0.11 clean, from 0.36 under 1 % loss). */
const UNSTEADY = 0.25
const STEADY_MS = 3_050
/** A level without a queue for so long is tried even so (guess: a server or its path may hold each connection back). */
const QUIET_MS = 20_000
/** Fewer send than may for so long: nobody is there to send (guess). */
const UNUSED_MS = 1_500
/** A gap between samples this long was a sleep. */
const PAUSE_MS = 1_500

/**
 * How many sessions of one upload send at once: one more, or twice as many, is tried where the path has no standing queue,
 * kept while the sum grows by more than the noise, and given back otherwise; where it has a standing queue, one is given
 * back unless the sum falls. Means are compared by their difference over its standard error (Welch).
 */
export class ConcurrencySearch {
  readonly #max: number
  #limit = 1
  #isRamping = true
  /** The last number that was tried has paid: the next one needs no other reason. */
  #hasPaid = false
  #rates = new RateWindow()
  #last: FlowSample | undefined
  #levelSinceMs: number | undefined
  #trial: Trial | undefined
  #unusedSinceMs: number | undefined
  readonly #up = new Rest()
  readonly #down = new Rest()

  /** @param max sessions at most, from 1 */
  constructor(max: number) {
    this.#max = max
  }

  /** Sessions that may send now. */
  get limit(): number {
    return this.#limit
  }

  /** A number is being tried that may be given back. */
  get isTrying(): boolean {
    return this.#trial?.direction === 'up'
  }

  /** Told four times a second; says what is changed, and why. */
  observe(sample: FlowSample): ConcurrencyChange | undefined {
    const last = this.#last
    this.#last = sample
    this.#levelSinceMs ??= sample.nowMs
    if (!last || sample.nowMs <= last.nowMs) return undefined
    if (sample.nowMs - last.nowMs > PAUSE_MS) return this.#startOver(sample)
    const unused = this.#leaveUnused(sample)
    if (unused || sample.sending < this.#limit) return unused
    this.#rates.add({ fromMs: last.nowMs, toMs: sample.nowMs, bytes: sample.ackedBytes - last.ackedBytes })
    return this.#trial ? this.#judge(this.#trial, sample) : this.#consider(sample)
  }

  /** The machine slept: nothing before is comparable. */
  #startOver({ nowMs }: FlowSample): undefined {
    this.#rates = new RateWindow()
    this.#levelSinceMs = nowMs
    if (this.#trial?.direction === 'up') this.#limit = this.#trial.from
    this.#trial = undefined
  }

  #leaveUnused({ nowMs, sending }: FlowSample): ConcurrencyChange | undefined {
    if (sending >= this.#limit) {
      this.#unusedSinceMs = undefined
      return undefined
    }
    this.#unusedSinceMs ??= nowMs
    if (nowMs - this.#unusedSinceMs < UNUSED_MS || this.#limit === 1) return undefined
    this.#trial = undefined
    this.#unusedSinceMs = undefined
    return this.#settle(nowMs, { kind: 'leave', limit: Math.max(1, sending), reason: 'unused' })
  }

  #consider(sample: FlowSample): ConcurrencyChange | undefined {
    const { nowMs } = sample
    const sinceMs = this.#levelSinceMs ?? nowMs
    const level = this.#rates.since(sinceMs)
    if (nowMs - sinceMs < LEVEL_MS || level.samples < 3 || this.#rates.isRising(RISING)) return undefined
    if (sample.isFull) {
      if (this.#limit === 1 || this.#down.isOn(nowMs)) return undefined
      return this.#begin(sample, { to: this.#limit - 1, before: level, reason: 'full' })
    }
    if (sample.room <= 0 || this.#limit >= this.#max || this.#up.isOn(nowMs)) return undefined
    const reason = this.#reasonToAdd(sample, nowMs - sinceMs)
    if (!reason) return undefined
    const times = reason === 'window' ? WINDOW_STEP : 2
    const wanted = this.#isRamping ? (times - 1) * this.#limit : 1
    const more = Math.min(wanted, sample.room, this.#max - this.#limit)
    return this.#begin(sample, { to: this.#limit + more, before: level, reason })
  }

  /** A wrong trial costs a connection's start and what it makes others lose: a link that is used well is left alone. */
  #reasonToAdd({ nowMs, hasSmallWindows }: FlowSample, levelMs: number): ConcurrencyChange['reason'] | undefined {
    if (this.#hasPaid) return 'ramp'
    if (hasSmallWindows) return 'window'
    if (levelMs >= STEADY_MS && this.#rates.variation(nowMs - STEADY_MS) > UNSTEADY) return 'unsteady'
    return levelMs >= QUIET_MS ? 'quiet' : undefined
  }

  #begin(
    { nowMs }: FlowSample,
    o: { to: number; before: RateSample; reason: ConcurrencyChange['reason'] },
  ): ConcurrencyChange {
    const from = this.#limit
    const direction = o.to > from ? 'up' : 'down'
    this.#trial = { from, direction, before: o.before, sinceMs: nowMs }
    this.#limit = o.to
    const kind = direction === 'up' ? 'add' : 'giveBack'
    return { kind, limit: o.to, reason: o.reason, beforeBytesPerSecond: o.before.mean, afterBytesPerSecond: null }
  }

  #judge(trial: Trial, sample: FlowSample): ConcurrencyChange | undefined {
    // who is given back still ends what it has
    if (trial.direction === 'down' && sample.sending > this.#limit) {
      this.#trial = { ...trial, sinceMs: sample.nowMs }
      return undefined
    }
    const { before, sinceMs, from } = trial
    const settleMs = Math.min(MOST_SETTLE_MS, Math.max(LEAST_SETTLE_MS, SETTLE_RTTS * sample.requestRttMs))
    const after = this.#rates.since(sinceMs + settleMs)
    if (after.durationMs < LEAST_TRIAL_MS) return undefined
    const grown = after.mean - before.mean
    const proportional = (before.mean * Math.abs(this.#limit - from)) / from
    const leastGain = sample.hasSmallWindows ? LEAST_WINDOW_GAIN * before.mean : LEAST_GAIN_SHARE * proportional
    const bound = trial.direction === 'up' ? leastGain : -MOST_LOSS_SHARE * proportional
    const error = Math.hypot(before.standardError, after.standardError)
    if (Math.abs(grown - bound) < CLEAR * error && after.durationMs < MOST_TRIAL_MS) return undefined
    this.#trial = undefined
    const rates = { beforeBytesPerSecond: before.mean, afterBytesPerSecond: after.mean }
    const holds = grown > bound
    const change =
      trial.direction === 'up'
        ? this.#endUp(trial, { holds, grown, proportional, nowMs: sample.nowMs })
        : this.#endDown(trial, holds, sample.nowMs)
    // what was measured at a number that stays is the next level's already
    return { ...this.#settle(holds ? sinceMs + settleMs : sample.nowMs, change), ...rates }
  }

  #endUp(
    { from }: Trial,
    o: { holds: boolean; grown: number; proportional: number; nowMs: number },
  ): Pick<ConcurrencyChange, 'kind' | 'limit' | 'reason'> {
    this.#hasPaid = o.holds
    this.#isRamping &&= o.holds && o.grown >= RAMP_GAIN_SHARE * o.proportional
    if (o.holds) {
      this.#up.end()
      // what has just paid is not tried without soon
      this.#down.begin(o.nowMs)
      return { kind: 'keep', limit: this.#limit, reason: 'pays' }
    }
    this.#up.begin(o.nowMs)
    return { kind: 'giveBack', limit: from, reason: 'no gain' }
  }

  #endDown({ from }: Trial, holds: boolean, nowMs: number): Pick<ConcurrencyChange, 'kind' | 'limit' | 'reason'> {
    if (holds) {
      this.#isRamping = false
      this.#hasPaid = false
      return { kind: 'keep', limit: this.#limit, reason: 'no loss' }
    }
    this.#down.begin(nowMs)
    return { kind: 'restore', limit: from, reason: 'loss' }
  }

  #settle(sinceMs: number, o: Pick<ConcurrencyChange, 'kind' | 'limit' | 'reason'>): ConcurrencyChange {
    this.#limit = o.limit
    this.#levelSinceMs = sinceMs
    return { ...o, beforeBytesPerSecond: null, afterBytesPerSecond: null }
  }
}

/** A while without trials, twice as long with each in a row. */
class Rest {
  #untilMs = Number.NEGATIVE_INFINITY
  #nextMs = FIRST_REST_MS

  isOn(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }

  begin(nowMs: number): void {
    this.#untilMs = nowMs + this.#nextMs
    this.#nextMs = Math.min(LONGEST_REST_MS, 2 * this.#nextMs)
  }

  end(): void {
    this.#nextMs = FIRST_REST_MS
  }
}
