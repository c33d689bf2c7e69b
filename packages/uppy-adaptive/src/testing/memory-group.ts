import type { GroupState, PartitionHeader, RangeSet, ServerEvent, StatusAnswer } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockRange, coversRange, rangesOfBlocks } from 'tus-reconcile-protocol'
import { MemoryBlocks } from './memory-blocks.js'
import { Refusal } from './memory-refusal.js'
import type { SavedSession, SessionEnd, Writing } from './memory-session.js'
import { MemorySession } from './memory-session.js'

/** What a creation tells of the upload that it opens. */
export type GroupFacts = Pick<PartitionHeader, 'group' | 'home' | 'size'>

/** What a group needs of its server. */
export interface GroupHost {
  nowMs(): number
  publish(group: MemoryGroup, event: ServerEvent): void
  /** Blocks have become verified here. */
  verifiedHere(group: MemoryGroup): void
  /** What is verified anywhere has changed. */
  coverageChanged(group: MemoryGroup): void
}

/** Blocks of which something new is known. */
export interface Landed {
  readonly verified: number[]
  readonly bad: number[]
}

/** All that one store knows of one file's upload: its sessions and their blocks, until it is committed or over. */
export class MemoryGroup {
  readonly id: string
  readonly home: string
  readonly sizeBytes: number
  readonly blocks: MemoryBlocks
  readonly sessions = new Map<string, MemorySession>()
  /** Sessions dropped before they were seen (P51). */
  readonly unseen = new Map<string, SessionEnd>()
  /** At the home: stores that take part, and those that have not heard yet how it ended. */
  readonly participants = new Set<string>()
  readonly toTell = new Set<string>()
  state: GroupState = 'open'
  /** The home has consented to it. */
  opened: boolean
  url: string | null = null
  touchedMs: number
  pulledEarly = 0
  pulledAtCommit = 0
  commitRoot: string | undefined
  readonly #host: GroupHost
  #saved: { readonly blocks: ReturnType<MemoryBlocks['record']>; readonly sessions: readonly SavedSession[] }

  constructor(o: { id: string; home: string; sizeBytes: number; opened: boolean }, host: GroupHost) {
    this.id = o.id
    this.home = o.home
    this.sizeBytes = o.sizeBytes
    this.opened = o.opened
    this.blocks = new MemoryBlocks(o.sizeBytes)
    this.touchedMs = host.nowMs()
    this.#host = host
    this.#saved = { blocks: this.blocks.record(), sessions: [] }
  }

  get hasEnded(): boolean {
    return this.state !== 'open' && this.state !== 'committing'
  }

  get clients(): ReadonlySet<string> {
    return new Set(Array.from(this.sessions.values(), (session) => session.client))
  }

  /** The session that a creation names: new, or known already. @throws Refusal */
  openSession(header: PartitionHeader): { session: MemorySession; created: boolean } {
    this.refuseEnded()
    if (header.home !== this.home) throw new Refusal(400, 'contradiction')
    if (header.size !== undefined && header.size !== this.sizeBytes) throw new Refusal(400, 'contradiction')
    const gone = this.unseen.get(header.session)
    if (gone) throw new Refusal(410, 'session-ended', { state: gone })
    const known = this.sessions.get(header.session)
    if (known) {
      if (known.start !== header.start) throw new Refusal(400, 'contradiction')
      return { session: known, created: false }
    }
    this.#refuseCommitting()
    const session = MemorySession.begin(header, this.sizeBytes)
    this.sessions.set(session.id, session)
    this.touchedMs = this.#host.nowMs()
    this.sweep()
    return { session, created: true }
  }

  /** A body may begin at `offset`. @throws Refusal */
  beginWrite(session: MemorySession, attempt: number, offset: number): Writing {
    this.#refuseCommitting()
    session.takeTurn(attempt)
    this.refuseEndedSession(session)
    return session.beginWrite(attempt, offset)
  }

  /** The body's next bytes; a refusal where it ends here. */
  accept(session: MemorySession, bytes: Uint8Array): Refusal | undefined {
    const room = session.end - session.start - session.offset
    const taken = bytes.subarray(0, room)
    const landed: Landed = { verified: [], bad: [] }
    for (let at = 0; at < taken.length; ) {
      const from = session.start + session.offset + at
      const index = Math.floor(from / BLOCK_SIZE)
      const to = Math.min(at + blockRange(index, this.sizeBytes).end - from, taken.length)
      const piece = taken.subarray(at, to)
      const outcome = this.blocks.take({ session: session.id, index, position: from % BLOCK_SIZE, bytes: piece })
      if (outcome === 'verified' || outcome === 'bad') landed[outcome].push(index)
      at = to
    }
    session.offset += taken.length
    this.touchedMs = this.#host.nowMs()
    this.tell(landed)
    if (landed.verified.length > 0) this.sweep()
    if (bytes.length <= room) return undefined
    const isFile = session.end === this.sizeBytes
    return isFile ? new Refusal(413, 'too-large') : new Refusal(409, 'session-full', { state: 'completed' })
  }

  status(): StatusAnswer {
    const isOver = this.hasEnded
    const sessions = Array.from(this.sessions.values(), (session) => session.describe())
    return {
      ...{ state: this.state, size: this.sizeBytes, sessions },
      ...{ verified: isOver ? [] : this.blocks.verifiedAnywhere, stored: isOver ? [] : this.blocks.stored },
      ...{ bad: isOver ? [] : this.blocks.bad, url: this.state === 'committed' ? this.url : null },
    }
  }

  /** What is told is recorded before. */
  save(): void {
    const sessions = Array.from(this.sessions.values(), (session) => session.save())
    this.#saved = { blocks: this.blocks.record(), sessions }
  }

  /** The process has ended: what was not recorded is gone, or was recorded in the last moment. */
  crash(losesUnrecorded: boolean): void {
    if (!losesUnrecorded) this.save()
    this.sessions.clear()
    for (const session of this.#saved.sessions) this.sessions.set(session.id, new MemorySession(session))
    this.blocks.restore(this.#saved.blocks)
    if (this.state === 'committing') this.state = 'open'
  }

  /** No body from now on: the file is being made. */
  beginCommit(): void {
    this.state = 'committing'
    for (const session of this.sessions.values()) session.stop(new Refusal(423, 'committing', { retryAfterMs: 1_000 }))
    this.save()
  }

  end(state: 'committed' | 'terminated' | 'expired'): void {
    if (this.hasEnded) return
    for (const session of this.sessions.values()) {
      if (state === 'committed') session.stop(new Refusal(410, 'group-ended', { state }))
      else this.endSession(session, state)
    }
    this.state = state
    for (const store of this.participants) this.toTell.add(store)
    this.unseen.clear()
    this.blocks.clear()
    this.save()
    this.publish(
      state === 'committed'
        ? { type: 'committed', group: this.id, url: this.url ?? '' }
        : { type: 'terminated', group: this.id },
    )
  }

  endSession(session: MemorySession, how: SessionEnd): void {
    if (session.ended || session.status === 'completed') return
    session.ended = how
    session.status = how === 'superseded' ? 'superseded' : 'failed'
    session.stop(new Refusal(410, 'session-ended', { state: how }))
    const verified = this.blocks.release(session.id)
    this.save()
    if (how === 'superseded') this.publish({ type: 'superseded', group: this.id, session: session.id })
    this.tell({ verified, bad: [] })
    if (verified.length > 0) this.sweep()
  }

  refuseEnded(): void {
    if (this.hasEnded) throw new Refusal(410, 'group-ended', { state: this.state })
  }

  refuseEndedSession(session: MemorySession): void {
    this.refuseEnded()
    if (session.ended) throw new Refusal(410, 'session-ended', { state: session.ended })
  }

  /** Completes the sessions that brought all of a range that is verified, ends those with nothing left to bring (P67). */
  sweep(): string[] {
    this.blocks.dropVerifiedCopies()
    const verified = this.blocks.verifiedAnywhere
    const superseded: string[] = []
    for (const session of this.sessions.values()) {
      if (session.status !== 'inProgress' || !coversRange(verified, session)) continue
      if (session.isFull) session.status = 'completed'
      for (const other of this.sessions.values()) {
        const isRedundant = !other.isFull && coversRange(verified, other)
        if (other.partition !== session.partition || other.status !== 'inProgress' || !isRedundant) continue
        superseded.push(other.id)
        this.endSession(other, 'superseded')
      }
    }
    return superseded
  }

  /** To whoever listens and to the peers; recorded before. */
  tell({ verified, bad }: Landed): void {
    if (verified.length + bad.length === 0) return
    this.save()
    this.sayVerified(this.rangesOf(verified))
    if (bad.length > 0) this.publish({ type: 'bad', group: this.id, ranges: this.rangesOf(bad) })
    if (verified.length === 0) return
    this.#host.verifiedHere(this)
    this.coverageChanged()
  }

  sayVerified(ranges: RangeSet): void {
    if (ranges.length > 0) this.publish({ type: 'verified', group: this.id, ranges })
  }

  publish(event: ServerEvent): void {
    this.#host.publish(this, event)
  }

  rangesOf(indices: readonly number[]): RangeSet {
    return rangesOfBlocks(indices, this.sizeBytes)
  }

  /** What is verified anywhere is not what it was. */
  coverageChanged(): void {
    this.#host.coverageChanged(this)
  }

  #refuseCommitting(): void {
    if (this.state === 'committing') throw new Refusal(423, 'committing', { retryAfterMs: 1_000 })
  }
}
