import type { GroupOperationRequest, OperationAnswers } from 'tus-reconcile-protocol'
import type { HttpAnswer } from '../io/http.js'
import { readAnswer } from '../io/tus-session.js'
import type { Attempt, AttemptOutcome, Capabilities, Clock, ServerPort } from '../orchestration/ports.js'
import { OperationError } from '../orchestration/ports.js'
import { onAbort, pause } from '../orchestration/timing.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import { LastMile } from './last-mile.js'
import { answerSession, refuseSession, tooLarge } from './memory-answers.js'
import type { OpenBody } from './memory-bodies.js'
import type { EventStream } from './memory-listener.js'
import { listenTo } from './memory-listener.js'
import { CutError, Refusal } from './memory-refusal.js'
import type { MemoryServer } from './memory-server.js'

const STEP_MS = 50
/** Of a body no less arrives at once, but its end. */
const PACKET_BYTES = 1_448

/** Which answers are lost. */
type Losses = 'losesAnswers' | 'losesOperations'

/** What goes wrong on the way, each time that it does. */
export type Mishap = Losses | 'swallowsAnswers' | 'repeats' | 'refusesLength' | 'cutsStream' | 'reordersEvents'

/** An address of a server in memory, over a path with a delay and a rate that a test can break. */
export class MemoryPort implements ServerPort {
  readonly endpoint: string
  readonly server: MemoryServer
  readonly lastMile: LastMile
  /** The client's. What is on its way takes the server's. */
  readonly clock: Clock
  /** One way. */
  delayMs = 20
  upBytesPerSecond = 2_000_000
  /** Of each body, whatever the path could carry: as where bytes are lost, or a window is small. */
  connectionBytesPerSecond = Number.POSITIVE_INFINITY
  /** Nothing comes through, and nobody is told. */
  isSilent = false
  /** The event stream is open and says nothing, as behind a proxy that buffers. */
  holdsEvents = false
  /** How much longer than an answer an event takes: what differs from one to the next reorders them. */
  eventDelayMs: () => number = () => 0
  /** So many of the next answers to sessions are lost after the server has acted: the connection is reset. */
  losesAnswers = 0
  /** The same of operations. */
  losesOperations = 0
  /** So many of the next answers of both are lost, and nobody is told. */
  swallowsAnswers = 0
  /** After a reset the same request goes out once more by itself, as Chromium's do; so many. */
  repeats = 0
  /** A proxy that refuses longer bodies, and says how long they may be, or does not. */
  bodyLimit: { readonly bytes: number; readonly isTold: boolean } | undefined
  /** Bodies that are being sent, and how long they are together. */
  sending = 0
  sendingBytes = 0
  /** Requests of ours that have not been answered. */
  inFlight = 0
  /** Told of what happens by these. */
  onMishap: (mishap: Mishap) => void = () => {}
  /** What is done to bytes on their way. */
  onBytes: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes
  readonly #bodies = new Set<OpenBody>()
  readonly #streams = new Set<EventStream>()

  constructor(server: MemoryServer, clock: Clock, o: { endpoint?: string; lastMile?: LastMile } = {}) {
    this.server = server
    this.endpoint = o.endpoint ?? server.endpoint
    this.lastMile = o.lastMile ?? new LastMile()
    this.clock = clock
  }

  /** Whether anything comes through. */
  get isDark(): boolean {
    return this.isSilent || this.lastMile.isOut
  }

  /** Event streams that are open. */
  get streams(): number {
    return this.#streams.size
  }

  /** The client's process is gone: its connections break. */
  vanish(): void {
    for (const { end } of [...this.#streams]) end()
    if (!this.isDark) for (const body of this.#bodies) this.server.bodies.finish(body)
    this.#bodies.clear()
  }

  /** The connections of its event streams break; nothing else does. */
  cutStreams(): void {
    if (this.#streams.size > 0) this.onMishap('cutsStream')
    for (const { cut } of [...this.#streams]) cut()
  }

  async probe(signal: AbortSignal): Promise<Capabilities> {
    try {
      return await this.#exchange(signal, async () => ({
        kind: 'reconcile' as const,
        storeId: this.server.id,
        limit: this.server.limit,
        extensions: [],
      }))
    } catch (error) {
      if (signal.aborted) throw error
      throw new UploadError('unreachable', `${this.endpoint} does not answer (${toError(error).message})`)
    }
  }

  async attempt(attempt: Attempt): Promise<AttemptOutcome> {
    attempt.onSending?.()
    for (;;) {
      try {
        return readAnswer(
          await this.#exchange(attempt.signal, () => this.#ask(attempt), 'losesAnswers'),
          this.endpoint,
          attempt,
        )
      } catch (error) {
        if (attempt.signal.aborted) return { kind: 'aborted' }
        if (this.repeats <= 0) return { kind: 'cut', cause: toError(error) }
        this.repeats -= 1
        this.onMishap('repeats')
      }
    }
  }

  async operate<Request extends GroupOperationRequest>(
    request: Request,
    signal: AbortSignal,
  ): Promise<OperationAnswers[Request['op']]> {
    const outcome = await this.#exchange(signal, () => this.#operate(request), 'losesOperations')
    if (outcome instanceof OperationError) throw outcome
    // the server answers what it was asked
    return outcome as OperationAnswers[Request['op']]
  }

  async listen(o: Parameters<ServerPort['listen']>[0]): Promise<void> {
    await this.#exchange(o.signal, async () => {})
    const stream = listenTo(this, this.server.clock, o)
    this.#streams.add(stream)
    try {
      await stream.ended
    } finally {
      this.#streams.delete(stream)
    }
  }

  /** What the server is asked for reaches it though the client aborts meanwhile; its answer may be lost. */
  async #exchange<T>(signal: AbortSignal, act: () => Promise<T>, losses?: Losses): Promise<T> {
    this.inFlight += 1
    try {
      return await orAborted(this.#goAndReturn(signal, act, losses), signal)
    } finally {
      this.inFlight -= 1
    }
  }

  async #goAndReturn<T>(signal: AbortSignal, act: () => Promise<T>, losses: Losses | undefined): Promise<T> {
    await this.lastMile.queue(this.server.clock, signal)
    await this.#travel(signal)
    const { run } = this.server
    if (this.server.isDown) {
      await this.#travel(signal)
      throw new Error('the connection was refused')
    }
    const answer = await this.server.watched(act)
    if (run !== this.server.run || (losses && this.#loses(losses))) {
      await this.#travel(signal)
      throw new Error('the connection was reset')
    }
    if (losses && this.#loses('swallowsAnswers')) await never()
    await this.#travel(signal)
    // a machine that sleeps reads its answers when it wakes
    await pause(this.clock, 0, signal)
    return answer
  }

  #loses(what: Losses | 'swallowsAnswers'): boolean {
    if (this[what] <= 0) return false
    this[what] -= 1
    this.onMishap(what)
    return true
  }

  async #operate(request: GroupOperationRequest): Promise<object> {
    try {
      return await this.server.operate(request)
    } catch (error) {
      if (!(error instanceof Refusal) || error.status === 0) throw error
      const { status, code, message, retryAfterMs } = error
      return new OperationError({ status, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    }
  }

  /** One request of a session, with its body. */
  async #ask(attempt: Attempt): Promise<HttpAnswer> {
    const { partition, url, range, body, signal } = attempt
    const bytes = body instanceof Uint8Array ? body : new Uint8Array()
    if (this.bodyLimit && bytes.length > this.bodyLimit.bytes) {
      this.onMishap('refusesLength')
      return tooLarge(this.bodyLimit)
    }
    let open: OpenBody | undefined
    try {
      const began =
        url === undefined
          ? await this.server.create(partition, bytes.length > 0)
          : this.server.append(partition, range.start - partition.start, bytes.length)
      if ('at' in began) return answerSession(this.server, partition, 200)
      open = began
      this.#bodies.add(began)
      const refusal = await this.#send(began, bytes, attempt)
      if (refusal) throw refusal
      return answerSession(this.server, partition, url === undefined ? 201 : 204)
    } catch (error) {
      if (error instanceof Refusal && error.status > 0) return refuseSession(this.server, partition, error)
      throw error
    } finally {
      // who is cut off in the dark is not heard to leave
      if (open && !(signal.aborted && this.isDark)) this.server.bodies.finish(open)
      if (open) this.#bodies.delete(open)
    }
  }

  /** The body, as fast as the path lets it through. Resolves to what ends it early. */
  async #send(open: OpenBody, bytes: Uint8Array, { signal, onHandedOver }: Attempt): Promise<Refusal | undefined> {
    let refusal: Refusal | undefined
    open.writing.onStopped = (cause) => {
      refusal = cause
    }
    this.sending += 1
    this.sendingBytes += bytes.length
    const uplink = { remainingBytes: bytes.length, isHeldUp: false }
    const end = this.lastMile.begin(uplink)
    try {
      let carried = 0
      for (let sent = 0; sent < bytes.length && !refusal; ) {
        await pause(this.clock, STEP_MS, signal)
        if (signal.aborted) throw new CutError('aborted')
        if (this.isDark) continue
        const { shareBytesPerSecond } = this.lastMile
        const share = Math.min(shareBytesPerSecond, this.upBytesPerSecond / this.sending, this.connectionBytesPerSecond)
        carried = Math.min(bytes.length, carried + (share * STEP_MS) / 1000)
        uplink.isHeldUp = share === shareBytesPerSecond
        if (refusal) break
        if (carried - sent < Math.min(PACKET_BYTES, bytes.length - sent)) continue
        const piece = bytes.subarray(sent, Math.floor(carried))
        refusal = this.server.bodies.take(open, this.onBytes(piece))
        sent += piece.length
        uplink.remainingBytes = bytes.length - sent
        onHandedOver(sent)
      }
    } finally {
      this.sending -= 1
      this.sendingBytes -= bytes.length
      end()
    }
    return refusal
  }

  /** One way; in the dark until it ends, unless nobody waits any more. @throws Error then */
  async #travel(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => this.server.clock.after(this.delayMs, resolve))
    while (this.isDark && !signal.aborted) await pause(this.server.clock, STEP_MS, signal)
    if (this.isDark) throw new Error('lost on its way')
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}

/** Settles when the signal fires, whatever goes on. @throws Error then */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(new Error('aborted'))
    const leave = onAbort(signal, () => reject(new Error('aborted')))
    work.then(resolve, reject).finally(leave)
  })
}
