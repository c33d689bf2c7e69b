import type { UploadLimit } from 'tus-reconcile-protocol'
import type { PatchHistory } from '../../partitioning/patch-history.js'
import type { PatchSize } from '../../partitioning/patch-sizer.js'
import { decideNextStep, failureOf, type NextStep } from '../failure-rules.js'
import type { Progress } from '../log/progress.js'
import type { AttemptOutcome, PlainOutcome, PlainRun, ServerPort, Source } from '../ports.js'
import { explainRefusal } from '../refusal-error.js'
import { onAbort, pause, withDeadline } from '../timing.js'
import { UploadError } from '../upload-error.js'
import { PlainBodies } from './plain-bodies.js'
import { PlainFlight } from './plain-flight.js'
import { PlainProbe } from './plain-probe.js'
import type { PlainParts } from './plain-upload.js'

export interface PlainTransferParts extends PlainParts {
  readonly source: Source
  /** Small requests to the same server. */
  readonly probe: ServerPort
  readonly progress: Progress
  readonly history: PatchHistory
  /** What the server announces of bodies. */
  readonly limit: UploadLimit
  /** Where to go on; undefined creates the upload. */
  readonly url: string | undefined
  readonly onUrl: (url: string) => void
}

export type PlainEnd =
  | { readonly kind: 'done'; readonly url: string }
  | { readonly kind: 'stopped' }
  /** The server does not know the upload any more. */
  | { readonly kind: 'gone'; readonly why: string; readonly hasProgressed: boolean }

/** A request without bytes may wait for a lock: @tus/server's for 3 s, tusd's longer (guess). Doubled by each in vain. */
const SMALL_DEADLINE_MS = 6_000
/** And beside others that are not answered either: what a slow link holds up, another would wait for as long (guess). */
const LONGEST_SMALL_DEADLINE_MS = 60_000
/** After so long without its answer others are asked beside it: its path may have died (guess: five usual starts). */
const SMALL_QUIET_MS = 1_500
/** A server that returns is seen within 3 s: the longest pause, and a probe's time beside it (DESIGN, figures). */
const LONGEST_PAUSE_MS = 1_250

interface SmallRequest {
  readonly sinceMs: number
  /** So long it is waited for while others are answered. */
  readonly patienceMs: number
  end(): void
  /** Its path was out and is back. */
  giveUp(): void
}

/** One pass of an upload to a plain server: runs of tus-js-client, one after another, until it is done or stopped. */
export class PlainTransfer {
  readonly #parts: PlainTransferParts
  readonly #stop = new AbortController()
  readonly #probe: PlainProbe
  readonly #flight: PlainFlight
  readonly #bodies: PlainBodies
  #url: string | undefined
  #acked = 0
  #fruitless = 0
  #hasProgressed = false
  #lastProgressMs: number
  #furthestHanded = 0
  /** The request without bytes that runs. */
  #small: SmallRequest | undefined
  /** The last one was given up as its path was back. */
  #isOutlived = false

  constructor(parts: PlainTransferParts) {
    this.#parts = parts
    this.#url = parts.url
    this.#lastProgressMs = parts.clock.now()
    this.#probe = new PlainProbe({ ...parts, signal: this.#stop.signal, onReturned: () => this.#noteReturn() })
    this.#flight = new PlainFlight({ ...parts, probing: this.#probe })
    this.#bodies = new PlainBodies(parts, this.#flight)
  }

  stop(): void {
    this.#stop.abort()
  }

  /** @throws UploadError `refused`, `too-large`, `server-full`, `gave-up`, or of the source */
  async run(): Promise<PlainEnd> {
    while (!this.#stop.signal.aborted) {
      const ackedBefore = this.#acked
      const outcome = await this.#attempt()
      if (outcome.kind === 'done') return outcome
      if (outcome.kind === 'another') return { kind: 'gone', why: outcome.why, hasProgressed: false }
      if (this.#stop.signal.aborted) break
      if (this.#acked > ackedBefore) this.#fruitless = 0
      const step = this.#judge(outcome)
      if (outcome.kind !== 'aborted') this.#fruitless += 1
      if (step.kind === 'end') {
        if (step.end.kind === 'over') return { kind: 'gone', why: step.end.state, hasProgressed: this.#hasProgressed }
        throw this.#explain(step.end)
      }
      if (step.kind === 'wait') await this.#wait(step, outcome)
      this.#refuseTooLate()
    }
    return { kind: 'stopped' }
  }

  async #attempt(): Promise<PlainOutcome> {
    const { plain, source, options, clock, onUrl } = this.#parts
    const run = new AbortController()
    const abort = () => run.abort()
    this.#stop.signal.addEventListener('abort', abort)
    const endWatch = this.#flight.watch({ onReconnect: abort, onTick: () => this.#tick(abort) })
    let planned: PatchSize | undefined
    try {
      const outcome = await plain.run({
        source,
        metadata: options.metadata,
        url: this.#url,
        signal: run.signal,
        openDeadline: () => this.#openSmall(run.signal),
        nextSize: (offset) => {
          planned = this.#bodies.size({ offset, url: this.#url })
          return planned.sizeBytes
        },
        admit: async ({ start, end }) => options.rateCap?.admit(end - start, { clock, signal: run.signal }),
        onUrl: (url) => {
          this.#url = url
          onUrl(url)
        },
        onOffset: (offset, isPatch) => this.#take(offset, isPatch),
        onPatch: (range) => planned && this.#flight.begin(range, planned),
        onHandedOver: (offset) => this.#noteHanded(offset),
      })
      this.#flight.end(outcome.kind === 'done' ? 'completed' : 'failed', this.#failure(outcome))
      return outcome
    } finally {
      this.#stop.signal.removeEventListener('abort', abort)
      this.#flight.end('cancelled')
      endWatch()
    }
  }

  #noteReturn(): void {
    this.#small?.giveUp()
    this.#flight.look()
  }

  #tick(abort: () => void): void {
    if (this.#isTooLate()) abort()
    else if (this.#small) this.#watchSmall(this.#small)
  }

  #watchSmall({ sinceMs, patienceMs, end }: SmallRequest): void {
    const nowMs = this.#parts.clock.now()
    if (nowMs - sinceMs > patienceMs && this.#probe.heardAtMs > sinceMs) end()
    else if (nowMs - sinceMs > SMALL_QUIET_MS) this.#probe.askSoon(nowMs)
  }

  /** What ends a request without bytes: its time, or that its path was out and is back, which TCP would find out late. */
  #openSmall(signal: AbortSignal): ReturnType<PlainRun['openDeadline']> {
    const { clock } = this.#parts
    const early = new AbortController()
    const end = () => early.abort()
    const leave = onAbort(signal, end)
    const deadline = withDeadline(clock, LONGEST_SMALL_DEADLINE_MS, early.signal)
    const patienceMs = Math.min(LONGEST_SMALL_DEADLINE_MS, SMALL_DEADLINE_MS * 2 ** this.#fruitless)
    const giveUp = () => {
      this.#isOutlived = true
      end()
    }
    this.#small = { sinceMs: clock.now(), patienceMs, end, giveUp }
    const done = () => {
      this.#small = undefined
      leave()
      deadline.done()
    }
    return { signal: deadline.signal, done }
  }

  #failure(outcome: PlainOutcome): Parameters<PlainFlight['end']>[1] {
    if (outcome.kind === 'done' || outcome.kind === 'another') return undefined
    if (this.#stop.signal.aborted) return { kind: 'connection', cause: 'stopped', isCut: false, isStopped: true }
    const cause =
      outcome.kind === 'cut' ? outcome.cause.message : outcome.kind === 'aborted' ? 'given up: silent' : outcome.kind
    const kind = outcome.kind === 'aborted' ? 'timeout' : failureOf(outcome)
    return { kind, cause, isCut: outcome.kind === 'cut', isStopped: false }
  }

  #take(offset: number, isPatch: boolean): void {
    if (isPatch) this.#bodies.arrived(this.#flight.acknowledged(offset))
    else this.#bodies.broke(this.#flight.takeBroken(offset))
    if (offset > this.#acked) {
      this.#lastProgressMs = this.#parts.clock.now()
      this.#fruitless = 0
      this.#hasProgressed = true
    }
    this.#acked = offset
    if (!isPatch) this.#parts.progress.rest(offset)
    this.#parts.progress.report(offset)
  }

  /** An estimate: at most to the last byte but one, which only an answer brings. */
  #noteHanded(offset: number): void {
    const { source, progress, clock } = this.#parts
    this.#flight.handedOver(offset)
    progress.report(Math.min(offset, source.sizeBytes - 1))
    if (offset <= this.#furthestHanded) return
    this.#furthestHanded = offset
    this.#lastProgressMs = clock.now()
  }

  #judge(outcome: AttemptOutcome): NextStep {
    const { randomness, model, clock } = this.#parts
    const isOutlived = this.#isOutlived
    this.#isOutlived = false
    if (isOutlived && outcome.kind === 'cut') return { kind: 'look' }
    if (outcome.kind === 'tooLarge' && outcome.limit.maxSize === undefined) {
      this.#bodies.refused(outcome.limit.maxAppendSize, { offset: this.#acked, url: this.#url })
      return { kind: 'look' }
    }
    if (outcome.kind === 'wait' && failureOf(outcome) === 'load')
      model.busy({ nowMs: clock.now(), store: this.#flight.store, retryAfterMs: outcome.retryAfterMs })
    return decideNextStep(outcome, { fruitless: this.#fruitless, hasAlternative: false, uniform: randomness.uniform() })
  }

  /** What a server or its path brings about is over as soon as it answers a small request; what it asks for is obeyed. */
  async #wait(step: Extract<NextStep, { kind: 'wait' }>, outcome: AttemptOutcome): Promise<void> {
    const { clock, rests, log } = this.#parts
    const isAsked = outcome.kind === 'wait' && outcome.retryAfterMs !== undefined
    const delayMs = isAsked ? step.delayMs : Math.min(step.delayMs, LONGEST_PAUSE_MS)
    log.emit({ type: 'waiting', ...this.#flight.name, cause: step.cause, delayMs: Math.round(delayMs) })
    await (isAsked ? pause(clock, delayMs, this.#stop.signal) : rests.take(delayMs, this.#stop.signal))
    while (!this.#stop.signal.aborted && outcome.kind === 'cut' && !(await this.#probe.ask())) {
      this.#refuseTooLate()
      await rests.take(this.#probe.pauseMs(), this.#stop.signal)
    }
  }

  #isTooLate(): boolean {
    return this.#parts.clock.now() - this.#lastProgressMs > this.#parts.options.giveUpAfterMs
  }

  #refuseTooLate(): void {
    if (!this.#isTooLate()) return
    const { options } = this.#parts
    const message = `${options.endpoint} took no byte for ${options.giveUpAfterMs / 1000} s; start the upload again to go on where it stopped`
    throw new UploadError('gave-up', message)
  }

  #explain(end: Extract<NextStep, { kind: 'end' }>['end']): UploadError {
    const { endpoint } = this.#parts.options
    if (end.kind !== 'failed') return new UploadError('gave-up', `${endpoint}: ${end.kind}`)
    return explainRefusal(endpoint, end)
  }
}
