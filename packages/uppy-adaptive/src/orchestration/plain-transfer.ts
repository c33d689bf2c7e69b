import type { UploadLimit } from 'tus-reconcile-protocol'
import type { BrokenPatch, PatchHistory } from '../partitioning/patch-history.js'
import type { HostRule, PatchSize } from '../partitioning/patch-sizer.js'
import { decidePatchSize, hostRuleOf } from '../partitioning/patch-sizer.js'
import { LEAST_BODY_BYTES } from './body-limits.js'
import { decideNextStep, failureOf, type NextStep } from './failure-rules.js'
import { PlainFlight } from './plain-flight.js'
import { PlainProbe } from './plain-probe.js'
import type { PlainParts } from './plain-upload.js'
import type { AttemptOutcome, PlainOutcome, ServerPort, Source } from './ports.js'
import type { Progress } from './progress.js'
import { UNKNOWN_RTT_MS } from './store-ranking.js'
import { pause, withDeadline } from './timing.js'
import { UploadError } from './upload-error.js'

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
const LONGEST_SMALL_DEADLINE_MS = 60_000
/** A server that returns is seen within 3 s: the longest pause, and a probe's time beside it (DESIGN, figures). */
const LONGEST_PAUSE_MS = 1_250

/** One pass of an upload to a plain server: runs of tus-js-client, one after another, until it is done or stopped. */
export class PlainTransfer {
  readonly #parts: PlainTransferParts
  readonly #stop = new AbortController()
  readonly #probe: PlainProbe
  readonly #flight: PlainFlight
  #url: string | undefined
  #acked = 0
  #fruitless = 0
  #hasProgressed = false
  #lastProgressMs: number
  #furthestHanded = 0

  constructor(parts: PlainTransferParts) {
    this.#parts = parts
    this.#url = parts.url
    this.#lastProgressMs = parts.clock.now()
    this.#probe = new PlainProbe({ ...parts, signal: this.#stop.signal })
    this.#flight = new PlainFlight({ ...parts, probing: this.#probe })
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
    const endWatch = this.#flight.watch({ onReconnect: abort, onTick: () => this.#isTooLate() && abort() })
    let planned: PatchSize | undefined
    try {
      const outcome = await plain.run({
        source,
        metadata: options.metadata,
        url: this.#url,
        signal: run.signal,
        openDeadline: () => withDeadline(clock, this.#smallDeadlineMs, run.signal),
        nextSize: (offset) => {
          planned = this.#size(offset)
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

  get #smallDeadlineMs(): number {
    return Math.min(LONGEST_SMALL_DEADLINE_MS, SMALL_DEADLINE_MS * 2 ** this.#fruitless)
  }

  #failure(outcome: PlainOutcome): Parameters<PlainFlight['end']>[1] {
    if (outcome.kind === 'done' || outcome.kind === 'another') return undefined
    if (this.#stop.signal.aborted) return { kind: 'connection', cause: 'stopped', isCut: false, isStopped: true }
    const cause =
      outcome.kind === 'cut' ? outcome.cause.message : outcome.kind === 'aborted' ? 'given up: silent' : outcome.kind
    const kind = outcome.kind === 'aborted' ? 'timeout' : failureOf(outcome)
    return { kind, cause, isCut: outcome.kind === 'cut', isStopped: false }
  }

  #size(offset: number): PatchSize {
    const { model, options, source, history } = this.#parts
    const host = this.#rule
    const known = model.store(this.#flight.store)
    // where the server is known to need its size, the cap holds over longer times
    const isFixed = options.chunkSize !== undefined || host !== undefined
    const capped = isFixed ? undefined : options.rateCap?.bodyBytes(known.requestRttMs ?? 0)
    // a stream's PATCH is read before it is sent
    const limits = [this.#largestBody, history.mostBytes, capped, source.bufferBytes]
    const mostBytes = Math.min(...limits.filter((limit) => limit !== undefined))
    return decidePatchSize({
      remainingBytes: source.sizeBytes - offset,
      goodputBytesPerSecond: this.#flight.goodputBytesPerSecond ?? known.goodputBytesPerSecond,
      requestRttMs: known.requestRttMs ?? UNKNOWN_RTT_MS,
      meanTimeBetweenFailuresMs: known.meanTimeBetweenFailuresMs,
      lostShare: history.lostShare,
      mostBytes,
      chunkSize: options.chunkSize,
      host,
    })
  }

  /** What is known of the server's own address, or that of the upload, and what it announces. */
  get #rule(): HostRule | undefined {
    const { endpoint } = this.#parts.options
    const preset = hostRuleOf(this.#url ?? endpoint) ?? hostRuleOf(endpoint)
    const { minAppendSize, maxAppendSize = Number.POSITIVE_INFINITY } = this.#parts.limit
    if (minAppendSize === undefined) return preset
    const maxBytes = Math.min(preset?.maxBytes ?? maxAppendSize, maxAppendSize)
    const minBytes = Math.min(Math.max(preset?.minBytes ?? 1, minAppendSize), maxBytes)
    return { minBytes, maxBytes, multipleBytes: preset?.multipleBytes ?? 1 }
  }

  get #largestBody(): number {
    const { bodies, limit, options } = this.#parts
    return bodies.largest(options.endpoint, limit.maxAppendSize)
  }

  #take(offset: number, isPatch: boolean): void {
    if (isPatch) this.#noteArrived(this.#flight.acknowledged(offset))
    else this.#noteBroken(this.#flight.takeBroken(offset))
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

  #noteArrived(bytes: number): void {
    const { history, bodies, options } = this.#parts
    history.arrived(bytes)
    if (bytes === this.#flight.sizeBytes) bodies.took(options.endpoint, bytes)
  }

  #noteBroken(broken: BrokenPatch | undefined): void {
    const { history, bodies, options } = this.#parts
    const before = this.#largestBody
    // two that broke off alike
    if (broken && history.broken(broken)) bodies.vanished(options.endpoint, broken.sizeBytes, 2)
    if (this.#largestBody < before) this.#noteShrunk()
  }

  #noteShrunk(): void {
    this.#parts.log.emit({ type: 'shrunk', ...this.#flight.name, maxBodyBytes: this.#largestBody })
  }

  /** Smaller bodies from now on. @throws UploadError `too-large` where there are none that the server could want */
  #shrink(said: number | undefined): void {
    const { bodies, options, source } = this.#parts
    const { sizeBytes } = this.#flight
    if (sizeBytes === 0) {
      const file = Number.isFinite(source.sizeBytes) ? `a file of ${source.sizeBytes} bytes` : 'this stream'
      throw new UploadError('too-large', `${options.endpoint} does not take ${file} (413)`, { status: 413 })
    }
    bodies.refused(options.endpoint, sizeBytes, said)
    if (this.#largestBody < LEAST_BODY_BYTES || this.#size(this.#acked).sizeBytes >= sizeBytes)
      throw new UploadError('too-large', `${options.endpoint} answers 413 to ${sizeBytes} bytes at once`, {
        status: 413,
      })
    this.#noteShrunk()
  }

  #judge(outcome: AttemptOutcome): NextStep {
    const { randomness, model, clock } = this.#parts
    if (outcome.kind === 'tooLarge' && outcome.limit.maxSize === undefined) {
      this.#shrink(outcome.limit.maxAppendSize)
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
    const status = end.status === undefined ? {} : { status: end.status }
    const code = end.status === 413 ? 'too-large' : end.code === 'full' ? 'server-full' : 'refused'
    return new UploadError(code, `${endpoint} refused the upload (${end.cause})`, status)
  }
}
