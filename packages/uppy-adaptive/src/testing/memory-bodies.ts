import type { Clock } from '../orchestration/ports.js'
import type { MemoryGroup } from './memory-group.js'
import { Refusal } from './memory-refusal.js'
import type { MemorySession, Writing } from './memory-session.js'

/** Per session at most each 100 ms (docs/protocol.md, section 10). */
const OFFSET_INTERVAL_MS = 100
/** A body that brings nothing for so long is ended (P34). */
const BODY_TIMEOUT_MS = 120_000

/** A request's session and body on their way in. */
export interface OpenBody {
  readonly group: MemoryGroup
  readonly session: MemorySession
  readonly writing: Writing
  lastByteMs: number
}

/** Requests whose bodies are on their way in to one server. */
export class MemoryBodies {
  readonly #clock: Clock
  readonly #open = new Set<OpenBody>()
  readonly #offsetsDueMs = new Map<string, number>()
  /** Ever, whether they were used or not. */
  receivedBytes = 0
  /** The disk is full. */
  isFull = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size
  }

  /** @throws Refusal */
  begin(group: MemoryGroup, session: MemorySession, o: { attempt: number; offset: number }): OpenBody {
    const writing = group.beginWrite(session, o.attempt, o.offset)
    const body = { group, session, writing, lastByteMs: this.#clock.now() }
    this.#open.add(body)
    this.#watch(body)
    return body
  }

  /** The next bytes of a body; a refusal where it ends here. */
  take(body: OpenBody, bytes: Uint8Array): Refusal | undefined {
    const { group, session } = body
    this.receivedBytes += bytes.length
    body.lastByteMs = this.#clock.now()
    if (this.isFull) return new Refusal(507, 'no-space')
    const refusal = group.accept(session, bytes)
    this.#tellOffset(group, session)
    return refusal
  }

  /** The body has ended, or the connection. What arrived is kept, and recorded before it is told. */
  finish(body: OpenBody): void {
    body.session.endWrite(body.writing)
    this.#open.delete(body)
    body.group.save()
  }

  /** The process ends: the connections of all of them break. */
  crash(): void {
    for (const body of [...this.#open]) body.writing.onStopped(new Refusal(0, 'reset'))
    this.#open.clear()
  }

  #watch(body: OpenBody): void {
    this.#clock.after(body.lastByteMs + BODY_TIMEOUT_MS - this.#clock.now(), () => {
      if (!this.#open.has(body)) return
      if (this.#clock.now() < body.lastByteMs + BODY_TIMEOUT_MS) return this.#watch(body)
      this.finish(body)
      body.writing.onStopped(new Refusal(408, 'no-progress'))
    })
  }

  #tellOffset(group: MemoryGroup, session: MemorySession): void {
    const nowMs = this.#clock.now()
    const dueMs = this.#offsetsDueMs.get(session.id) ?? nowMs
    if (nowMs < dueMs) return
    this.#offsetsDueMs.set(session.id, nowMs + OFFSET_INTERVAL_MS)
    group.save()
    group.publish({ type: 'offset', group: group.id, session: session.id, offset: session.offset })
  }
}
