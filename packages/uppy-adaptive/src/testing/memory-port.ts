import type { GroupOperationRequest, OperationAnswers, ServerEvent } from 'tus-reconcile-protocol'
import type { Attempt, AttemptOutcome, Capabilities, Clock, ServerPort } from '../orchestration/ports.js'
import { pause } from '../orchestration/timing.js'
import type { MemoryStore } from './memory-store.js'

const STEP_MS = 50
const HEARTBEAT_MS = 1_000

/** An address of a store in memory, over a path with a delay and a rate that a test can break. */
export class MemoryPort implements ServerPort {
  readonly endpoint: string
  readonly #store: MemoryStore
  readonly #clock: Clock
  /** One way. */
  delayMs = 20
  upBytesPerSecond = 2_000_000
  /** Nothing comes through, and nobody is told. */
  isSilent = false
  /** The event stream is open and says nothing, as behind a proxy that buffers. */
  holdsEvents = false
  /** So many of the next answers to sessions are lost after the server has acted. */
  losesAnswers = 0

  constructor(store: MemoryStore, clock: Clock) {
    this.endpoint = `http://${store.id}.test/files`
    this.#store = store
    this.#clock = clock
  }

  async probe(signal: AbortSignal): Promise<Capabilities> {
    await this.#travel(signal)
    await this.#travel(signal)
    return { kind: 'reconcile', storeId: this.#store.id, limit: {}, extensions: [] }
  }

  async attempt(attempt: Attempt): Promise<AttemptOutcome> {
    attempt.onSending?.()
    try {
      await this.#travel(attempt.signal)
      const outcome = await this.#receive(attempt)
      if (this.losesAnswers > 0) {
        this.losesAnswers -= 1
        return { kind: 'cut', cause: new Error('the connection was reset') }
      }
      await this.#travel(attempt.signal)
      return outcome
    } catch (error) {
      if (attempt.signal.aborted) return { kind: 'aborted' }
      throw error
    }
  }

  async operate<Request extends GroupOperationRequest>(
    request: Request,
    signal: AbortSignal,
  ): Promise<OperationAnswers[Request['op']]> {
    await this.#travel(signal)
    const answer = await this.#store.operate(request)
    await this.#travel(signal)
    // the store answers what it was asked
    return answer as OperationAnswers[Request['op']]
  }

  async listen(o: Parameters<ServerPort['listen']>[0]): Promise<void> {
    await this.#travel(o.signal)
    let count = 0
    const listener = (event: ServerEvent) => {
      if (this.isSilent || this.holdsEvents) return
      count += 1
      o.onAlive()
      o.onEvent(event, `e-${count}`)
    }
    this.#store.listeners.add(listener)
    try {
      for (;;) {
        await this.#travel(o.signal)
        if (!this.holdsEvents) o.onAlive()
        await pause(this.#clock, HEARTBEAT_MS, o.signal)
      }
    } finally {
      this.#store.listeners.delete(listener)
    }
  }

  /** The body, as fast as the path lets it through. */
  async #receive(attempt: Attempt): Promise<AttemptOutcome> {
    const opened = this.#store.open(attempt)
    if ('kind' in opened) return opened
    const { body, range, signal } = attempt
    const bytes = body instanceof Uint8Array ? body : new Uint8Array()
    for (let sent = 0; sent < bytes.length; ) {
      await this.#travel(signal, STEP_MS)
      const room = Math.min((this.upBytesPerSecond * STEP_MS) / 1000, opened.end - opened.start - opened.offset)
      if (room <= 0) break
      const piece = bytes.subarray(sent, sent + Math.floor(room))
      await this.#store.take(opened, piece)
      sent += piece.length
      attempt.onHandedOver(sent)
    }
    return this.#store.answer(opened, range.end)
  }

  /** @throws Error as soon as the signal fires, silent or not */
  async #travel(signal: AbortSignal, forMs: number = this.delayMs): Promise<void> {
    await pause(this.#clock, forMs, signal)
    while (this.isSilent && !signal.aborted) await pause(this.#clock, STEP_MS, signal)
    if (signal.aborted) throw new Error('aborted')
  }
}
