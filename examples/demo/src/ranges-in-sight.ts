import type { ByteRange } from 'tus-reconcile-protocol'
import { missingRanges, toRangeSet, totalBytes } from 'tus-reconcile-protocol'

/** A request body that carries bytes of a file, as its head announces it. Offsets in the file. */
export interface SeenBody {
  readonly session: string
  readonly server: number
  readonly from: number
  readonly bodyBytes: number
  /** The session's planned end. */
  readonly end: number
}

export interface OpenBody extends SeenBody {
  readonly leftBytes: number
}

type Entry = { readonly body: SeenBody; delivered: number; state: 'open' | 'whole' | 'broken' }

/**
 * Which bytes of one file have been announced on the wire: what somebody who sees only the links knows of an upload.
 * A body that broke off, or whose session was dropped, counts for what was delivered.
 */
export class RangesInSight {
  readonly sizeBytes: number
  readonly #entries = new Map<number, Entry>()
  readonly #ends = new Map<string, number>()
  readonly #dropped = new Set<string>()
  #next = 0

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
  }

  /** A request's head went by; returns the name under which its body is followed. */
  begin(body: SeenBody): number {
    this.#next += 1
    this.#entries.set(this.#next, { body, delivered: 0, state: 'open' })
    return this.#next
  }

  deliver(name: number, bytes: number): void {
    const entry = this.#entries.get(name)
    if (entry) entry.delivered += bytes
  }

  finish(name: number, state: 'whole' | 'broken'): void {
    const entry = this.#entries.get(name)
    if (entry?.state === 'open') entry.state = state
  }

  /** A session's planned end was lowered. */
  lowerEnd(session: string, end: number): void {
    this.#ends.set(session, Math.min(end, this.#ends.get(session) ?? Number.POSITIVE_INFINITY))
  }

  drop(session: string): void {
    this.#dropped.add(session)
  }

  /** Every byte of the file was delivered or is announced by a body that is on its way: nothing is unsent. */
  get isCovered(): boolean {
    return this.#entries.size > 0 && this.unannouncedBytes === 0
  }

  /** Bytes of the file that no body has announced yet. */
  get unannouncedBytes(): number {
    const ranges = toRangeSet([...this.#entries.values()].map((entry) => this.#rangeOf(entry)))
    return totalBytes(missingRanges(ranges, this.sizeBytes))
  }

  /** Bodies on their way, with what is left of them. */
  openBodies(): OpenBody[] {
    return [...this.#entries.values()].flatMap((entry) => {
      if (entry.state !== 'open' || this.#dropped.has(entry.body.session)) return []
      const { start, end } = this.#rangeOf(entry)
      const leftBytes = end - start - entry.delivered
      return leftBytes > 0 ? [{ ...entry.body, leftBytes }] : []
    })
  }

  #rangeOf({ body, delivered, state }: Entry): ByteRange {
    const start = body.from
    if (state === 'broken' || this.#dropped.has(body.session)) return { start, end: start + delivered }
    const plannedEnd = Math.min(body.end, this.#ends.get(body.session) ?? body.end)
    return { start, end: Math.max(start + delivered, Math.min(start + body.bodyBytes, plannedEnd)) }
  }
}
