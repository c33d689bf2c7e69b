import type { ServerPort } from '../ports.js'
import { Answering } from '../servers/answering.js'
import { withDeadline } from '../timing.js'
import { UploadError } from '../upload-error.js'
import type { PlainParts } from './plain-upload.js'

const MIN_DEADLINE_MS = 1_000
const MAX_DEADLINE_MS = 1_500
const DEADLINE_RTOS = 3
const FIRST_PAUSE_MS = 300
/** With a probe's time beside it, a path that returns is seen within 3 s (DESIGN, figures). */
const LONGEST_PAUSE_MS = 1_250
/** After so long without an answer there is no hurry any more (guess). */
const HURRY_MS = 120_000
const LONGEST_LATE_PAUSE_MS = 5_000
/**
 * For so long after the first that was lost questions overlap, this far apart and so many at once: one that a dead path has
 * swallowed finds its return late (guess: TCP itself would try as often by then).
 */
const CLOSE_FOR_MS = 20_000
const CLOSE_MS = 500
const MOST_AT_ONCE = 3

interface PlainProbeParts extends Pick<PlainParts, 'clock' | 'model' | 'randomness'> {
  readonly probe: ServerPort
  readonly signal: AbortSignal
  /** The server answers again, after at least one was lost. */
  readonly onReturned: () => void
}

/** Small requests, each on a connection that may be a new one, that tell a dead path from a dead connection. */
export class PlainProbe {
  readonly #parts: PlainProbeParts
  readonly #store: string
  #asking = 0
  #lost = 0
  #lostSinceMs = 0
  #nextAtMs = Number.NEGATIVE_INFINITY
  /** When the server last answered one. */
  heardAtMs: number = Number.NEGATIVE_INFINITY
  /** The shortest time in which it has answered one. */
  fastestAnswerMs: number = Number.POSITIVE_INFINITY
  readonly #answering = new Answering()
  #lostAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: PlainProbeParts) {
    this.#parts = parts
    this.#store = new URL(parts.probe.endpoint).host
  }

  /** Whether questions since then were lost, and are answered now, promptly. */
  wasOutSince(sinceMs: number): boolean {
    return this.#lostAtMs > sinceMs && this.#answering.forMs(sinceMs) > 0
  }

  /** Asks in the background, unless it was asked just now. */
  askSoon(nowMs: number): void {
    const most = this.#isClose ? MOST_AT_ONCE : 1
    if (this.#asking < most && nowMs >= this.#nextAtMs) void this.ask()
  }

  /** Whether the server itself answered. */
  async ask(): Promise<boolean> {
    const { clock, model, probe, signal } = this.#parts
    const askedAtMs = clock.now()
    this.#asking += 1
    this.#nextAtMs = askedAtMs + CLOSE_MS * this.#jitter()
    const rtoMs = model.store(this.#store).rtoMs
    const deadlineMs = Math.min(MAX_DEADLINE_MS, Math.max(MIN_DEADLINE_MS, DEADLINE_RTOS * rtoMs))
    const deadline = withDeadline(clock, deadlineMs, signal)
    try {
      await probe.probe(deadline.signal)
      this.heardAtMs = clock.now()
      this.fastestAnswerMs = Math.min(this.fastestAnswerMs, this.heardAtMs - askedAtMs)
      this.#answering.note({ nowMs: this.heardAtMs, askedMs: askedAtMs, rtoMs })
      const isReturn = this.#lost > 0
      this.#lost = 0
      model.heard({ nowMs: this.heardAtMs, store: this.#store })
      if (isReturn) this.#parts.onReturned()
      return true
    } catch (error) {
      // what was asked before another was answered is old news
      if (signal.aborted || this.heardAtMs > askedAtMs) return false
      const nowMs = clock.now()
      this.#lostAtMs = nowMs
      this.#answering.lost()
      if (this.#lost === 0) this.#lostSinceMs = nowMs
      this.#lost += 1
      // a proxy that answers for a server that is away is neither a loss nor a sign of life
      if (!(error instanceof UploadError && error.status !== undefined)) model.probeLost({ nowMs, store: this.#store })
      return false
    } finally {
      deadline.done()
      this.#asking -= 1
      if (!this.#isClose) this.#nextAtMs = clock.now() + this.pauseMs()
    }
  }

  get #isClose(): boolean {
    return this.#lost > 0 && this.#parts.clock.now() - this.#lostSinceMs < CLOSE_FOR_MS
  }

  #jitter(): number {
    return 0.5 + this.#parts.randomness.uniform() / 2
  }

  /** Until the next one: jittered, so that clients of a restarted server do not return together. */
  pauseMs(): number {
    const isLate = this.#lost > 0 && this.#parts.clock.now() - this.#lostSinceMs > HURRY_MS
    const longest = isLate ? LONGEST_LATE_PAUSE_MS : LONGEST_PAUSE_MS
    return Math.min(longest, FIRST_PAUSE_MS * 2 ** Math.min(this.#lost, 10)) * this.#jitter()
  }
}
