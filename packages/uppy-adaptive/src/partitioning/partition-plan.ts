import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import {
  addRanges,
  blockCeil,
  blockFloor,
  blockRange,
  coversRange,
  EMPTY_RANGES,
  intersectRanges,
  rangeLength,
  subtractRanges,
  toRangeSet,
  wholeBlocks,
} from 'tus-reconcile-protocol'
import { RangeIndex } from './range-index.js'

export type SessionId = string
export type PartitionId = string
export type StoreId = string

/** Why a session was begun. */
export type SessionKind = 'first' | 'takeOver' | 'copy'

/** A session in flight: one upload of `[start, end)` to one store, acknowledged up to `acked` (absolute offsets, bytes). */
export interface PlannedSession {
  readonly session: SessionId
  readonly partition: PartitionId
  readonly store: StoreId
  readonly kind: SessionKind
  readonly start: number
  /** Planned end: only ever lowered, unless the store turns out to hold more. */
  readonly end: number
  readonly acked: number
  /** For a copy: the session whose missing bytes it sends again. */
  readonly of?: SessionId
  /** Acknowledged once and found bad or gone since: nobody's again. */
  readonly lost: RangeSet
}

/**
 * Which bytes of one file are verified, held by a store, in flight or nobody's yet.
 * What is unassigned is derived, never stored, so no byte can fall between two states. Whatever is done or asked of some
 * bytes takes logarithmic time in how scattered the rest is; only whole sets (`RangeSet`) are linear.
 */
export class PartitionPlan {
  readonly sizeBytes: number
  readonly #live = new Map<SessionId, PlannedSession>()
  readonly #held = new Map<StoreId, RangeIndex>()
  readonly #verified = new RangeIndex()
  /** Verified, or held by some store: what no session is to send. */
  readonly #settled = new RangeIndex()
  #partitions = 0

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
  }

  get verified(): RangeSet {
    return this.#verified.toSet()
  }

  get verifiedBytes(): number {
    return this.#verified.totalBytes
  }

  get isVerified(): boolean {
    return this.#verified.totalBytes === this.sizeBytes
  }

  /** Sessions in flight, oldest first. */
  sessions(): PlannedSession[] {
    return [...this.#live.values()]
  }

  session(id: SessionId): PlannedSession | undefined {
    return this.#live.get(id)
  }

  copiesOf(id: SessionId): PlannedSession[] {
    return this.sessions().filter((other) => other.of === id)
  }

  nextPartitionId(): PartitionId {
    this.#partitions += 1
    return `p${this.#partitions}`
  }

  /** Bytes that are neither verified, nor held, nor planned by a session in flight. */
  unassigned(): RangeSet {
    return [...this.unassignedWithin(this.#whole)]
  }

  /** What of the range is unassigned, ascending. Nothing may be changed before it ends. */
  *unassignedWithin(range: ByteRange): Generator<ByteRange> {
    const planned = this.#planned()
    for (const gap of this.#settled.gaps(range)) yield* subtractRanges([gap], planned)
  }

  get unassignedBytes(): number {
    return this.sizeBytes - this.#settled.totalBytes - this.#unsettledBytes(this.#planned())
  }

  /** Bytes that some store acknowledged or that are verified: each counts once, whatever copies there are. */
  acknowledged(): RangeSet {
    return toRangeSet([...this.#settled.toSet(), ...this.#acked()])
  }

  get acknowledgedBytes(): number {
    return this.#settled.totalBytes + this.#unsettledBytes(this.#acked())
  }

  /** What of the range nobody has verified, ascending. Nothing may be changed before it ends. */
  unverifiedWithin(range: ByteRange): Generator<ByteRange> {
    return this.#verified.gaps(range)
  }

  /** Whole blocks that ended sessions left on `store` and that nobody has verified yet. */
  heldUnverified(store: StoreId): RangeSet {
    return subtractRanges(this.#held.get(store)?.toSet() ?? EMPTY_RANGES, this.verified)
  }

  add(session: Omit<PlannedSession, 'acked' | 'lost'>): PlannedSession {
    const planned = { ...session, acked: session.start, lost: EMPTY_RANGES }
    this.#live.set(session.session, planned)
    return planned
  }

  /** The store holds the session's bytes up to `offset` (absolute). Never goes back; returns the newly acknowledged bytes. */
  acknowledge(id: SessionId, offset: number): number {
    const session = this.#live.get(id)
    const acked = Math.min(offset, this.sizeBytes)
    if (!session || acked <= session.acked) return 0
    // the store may have taken more before it heard of a lowered end: it goes on to the end of that block
    this.#live.set(id, { ...session, acked, end: Math.max(session.end, blockCeil(acked, this.sizeBytes)) })
    return acked - session.acked
  }

  /** Lowers a planned end; never below the block that is acknowledged in part, never raises it. Returns the end that holds. */
  lowerEnd(id: SessionId, end: number): number | undefined {
    const session = this.#live.get(id)
    if (!session) return undefined
    const held = Math.min(session.end, Math.max(end, blockCeil(session.acked, this.sizeBytes)))
    this.#live.set(id, { ...session, end: held })
    return held
  }

  /** The session is over; the whole blocks that its store acknowledged stay there, the rest is unassigned again. */
  end(id: SessionId): PlannedSession | undefined {
    const session = this.#live.get(id)
    if (!session) return undefined
    this.#live.delete(id)
    const kept = { start: session.start, end: this.#wholeUpTo(session.acked) }
    this.hold(session.store, subtractRanges(toRangeSet([kept]), session.lost))
    return session
  }

  /** `store` says that it has these whole blocks. */
  hold(store: StoreId, ranges: readonly ByteRange[]): void {
    const held = this.#held.get(store) ?? new RangeIndex()
    this.#held.set(store, held)
    for (const range of this.#inFile(ranges)) {
      held.add(range)
      this.#settled.add(range)
    }
  }

  /** Returns what was not verified before. */
  verify(ranges: RangeSet): RangeSet {
    const fresh = this.#inFile(ranges).flatMap((range) => [...this.#verified.gaps(range)])
    for (const range of fresh) {
      this.#verified.add(range)
      this.#settled.add(range)
    }
    return fresh
  }

  /** The blocks within these ranges of which every byte was acknowledged, or is verified. */
  acknowledgedBlocks(ranges: RangeSet): RangeSet {
    const acked = this.#acked()
    const isThere = (block: ByteRange) =>
      coversRange(toRangeSet([...this.#settled.within(block), ...intersectRanges(acked, [block])]), block)
    const blocks = ranges.flatMap((range) => {
      const { first, last } = wholeBlocks(range, this.sizeBytes)
      return Array.from({ length: last - first }, (_, i) => blockRange(first + i, this.sizeBytes))
    })
    return toRangeSet(blocks.filter(isThere))
  }

  /** These blocks are not what the source has, or are gone: nobody's again. One that a session is sending is coming anew. */
  discard(ranges: RangeSet): void {
    for (const index of [this.#verified, this.#settled, ...this.#held.values()])
      for (const range of ranges) index.remove(range)
    for (const session of this.#live.values()) {
      const lost = intersectRanges(ranges, toRangeSet([{ start: session.start, end: this.#wholeUpTo(session.acked) }]))
      if (lost.length > 0) this.#live.set(session.session, { ...session, lost: addRanges(session.lost, ...lost) })
    }
  }

  /** The store is given up: what only it holds, unverified, is nobody's again. Returns those bytes' ranges. */
  forget(store: StoreId): RangeSet {
    const unverified = this.heldUnverified(store)
    this.#held.delete(store)
    const others = toRangeSet([...this.#held.values()].flatMap((held) => held.toSet()))
    const lost = subtractRanges(unverified, others)
    for (const range of lost) this.#settled.remove(range)
    return lost
  }

  /** Whether every byte of the session's range is verified, by whomever. */
  isCovered({ start, end }: Pick<PlannedSession, 'start' | 'end'>): boolean {
    return this.#verified.covers({ start, end })
  }

  /** Bytes of the session's range that are neither verified nor acknowledged to it. */
  missingOf(session: PlannedSession): number {
    const rest = { start: session.acked, end: session.end }
    return rangeLength(rest) - this.#verified.bytesWithin(rest)
  }

  get #whole(): ByteRange {
    return { start: 0, end: this.sizeBytes }
  }

  /** What a store says of more than the file has is not believed. */
  #inFile(ranges: readonly ByteRange[]): ByteRange[] {
    return ranges.map(({ start, end }) => ({ start, end: Math.min(end, this.sizeBytes) }))
  }

  #planned(): RangeSet {
    return toRangeSet(this.sessions().flatMap(({ start, end, lost }) => subtractRanges([{ start, end }], lost)))
  }

  #acked(): RangeSet {
    return toRangeSet(this.sessions().flatMap(({ start, acked: end, lost }) => subtractRanges([{ start, end }], lost)))
  }

  #unsettledBytes(set: RangeSet): number {
    return set.reduce((sum, range) => sum + rangeLength(range) - this.#settled.bytesWithin(range), 0)
  }

  /** The end of the last block that ends by then. */
  #wholeUpTo(offset: number): number {
    return offset === this.sizeBytes ? offset : blockFloor(offset)
  }
}
