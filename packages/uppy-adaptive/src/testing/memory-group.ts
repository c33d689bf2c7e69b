import type {
  ClaimAnswer,
  ClaimRequest,
  GroupState,
  PartitionHeader,
  PlanAnswer,
  PlanRequest,
  RangeSet,
  ServerEvent,
  SessionStatus,
  StatusAnswer,
  UploadState,
} from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount, blockRange, coversRange, rangesOfBlocks, subtractRanges } from 'tus-reconcile-protocol'
import { MemoryBlocks } from './memory-blocks.js'

/** Why a session takes nothing more for good, or a body for now. */
export type SessionEnd = 'superseded' | 'terminated' | 'expired'
export type StopCause = SessionEnd | 'replaced' | 'committing' | 'committed' | 'closing'

/** A body on its way in. */
export interface Writing {
  readonly attempt: number
  /** Told once when somebody else ends it. */
  onStopped: (refusal: Refusal) => void
}

/** One upload of one range to one store. Offsets count from `start`. */
export interface MemorySession {
  readonly id: string
  readonly partition: string
  readonly client: string
  readonly start: number
  end: number
  offset: number
  /** What a crash leaves of the offset: never less than was told. */
  recorded: number
  attempt: number
  status: Exclude<UploadState, 'pending'>
  ended: SessionEnd | undefined
  writing: Writing | undefined
}

/** A request that is refused, as docs/protocol.md, section 8 has it. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly state: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(status: number, code: string, o: { state?: string; retryAfterMs?: number; message?: string } = {}) {
    super(o.message ?? code)
    this.status = status
    this.code = code
    this.state = o.state
    this.retryAfterMs = o.retryAfterMs
  }
}

/** What a group needs of its server. */
export interface GroupHost {
  nowMs(): number
  publish(group: MemoryGroup, event: ServerEvent): void
  /** Blocks have become verified here. */
  verifiedHere(group: MemoryGroup): void
  /** What is verified anywhere has changed. */
  coverageChanged(group: MemoryGroup): void
}

type SavedSession = Readonly<MemorySession>

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
    const { session: id, partition, client, start, end = this.sizeBytes } = header
    const isOnGrid = start % BLOCK_SIZE === 0 && (end % BLOCK_SIZE === 0 || end === this.sizeBytes)
    if (!isOnGrid || end < start || end > this.sizeBytes) throw new Refusal(400, 'bad-request')
    const session: MemorySession = {
      ...{ id, partition, client, start, end, offset: 0, recorded: 0, attempt: header.attempt },
      ...{ status: 'inProgress' as const, ended: undefined, writing: undefined },
    }
    this.sessions.set(id, session)
    this.touchedMs = this.#host.nowMs()
    this.#sweep()
    return { session, created: true }
  }

  /** P24 to P27: who may act on the session now. A newer attempt ends the body that runs. @throws Refusal */
  takeTurn(session: MemorySession, attempt: number): void {
    if (attempt < session.attempt) throw new Refusal(409, 'lower-attempt')
    const { writing } = session
    if (writing && attempt === session.attempt) throw new Refusal(423, 'still-writing', { retryAfterMs: 1_000 })
    session.attempt = attempt
    if (writing) this.#stop(session, new Refusal(409, 'replaced'))
  }

  /** A body may begin at `offset`. @throws Refusal */
  beginWrite(session: MemorySession, attempt: number, offset: number): Writing {
    this.#refuseCommitting()
    this.takeTurn(session, attempt)
    this.refuseEndedSession(session)
    if (offset !== session.offset) throw new Refusal(409, 'bad-offset')
    const writing: Writing = { attempt, onStopped: () => {} }
    session.writing = writing
    return writing
  }

  endWrite(session: MemorySession, writing: Writing): void {
    if (session.writing === writing) session.writing = undefined
  }

  /** The body's next bytes; a refusal where it ends here. */
  accept(session: MemorySession, bytes: Uint8Array): Refusal | undefined {
    const room = session.end - session.start - session.offset
    const taken = bytes.subarray(0, room)
    const landed = { verified: [] as number[], bad: [] as number[] }
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
    this.#tell(landed)
    if (landed.verified.length > 0) this.#sweep()
    if (bytes.length <= room) return undefined
    const isFile = session.end === this.sizeBytes
    return isFile ? new Refusal(413, 'too-large') : new Refusal(409, 'session-full', { state: 'completed' })
  }

  isFull(session: MemorySession): boolean {
    return session.start + session.offset >= session.end
  }

  plan({ changes }: PlanRequest): PlanAnswer {
    this.refuseEnded()
    for (const change of changes) {
      const session = this.sessions.get(change.session)
      if ('end' in change) {
        if (session) this.#lowerEnd(session, change.end)
      } else if (session) this.endSession(session, change.reason === 'superseded' ? 'superseded' : 'terminated')
      else if (!this.unseen.has(change.session))
        this.unseen.set(change.session, change.reason === 'superseded' ? 'superseded' : 'terminated')
    }
    this.#sweep()
    this.save()
    const answers = [...new Set(changes.map(({ session }) => session))].flatMap((id) => {
      const session = this.sessions.get(id)
      if (session) return [{ session: id, end: session.end, offset: session.offset, state: session.status }]
      const gone = this.unseen.get(id)
      const state: UploadState = gone === 'superseded' ? 'superseded' : 'failed'
      return gone ? [{ session: id, end: 0, offset: 0, state }] : []
    })
    return { sessions: answers }
  }

  claim({ claims }: ClaimRequest): ClaimAnswer {
    this.refuseEnded()
    const leaves = claims.flatMap(({ start, leaves: digests }) => {
      if (start % BLOCK_SIZE !== 0) throw new Refusal(400, 'bad-request')
      return digests.map((leaf, i) => ({ index: start / BLOCK_SIZE + i, leaf }))
    })
    if (leaves.some(({ index }) => index >= blockCount(this.sizeBytes))) throw new Refusal(400, 'bad-request')
    const by = { verified: [] as number[], already: [] as number[], bad: [] as number[], conflict: [] as number[] }
    for (const { index, leaf } of leaves) {
      const outcome = this.blocks.claim(index, leaf)
      if (outcome !== 'waiting') by[outcome].push(index)
    }
    const swept = this.#sweep()
    this.#tell({ verified: by.verified, bad: by.bad })
    this.save()
    const ended = claims.map(({ session }) => session).filter((id) => this.#endOf(id) === 'superseded')
    return {
      verified: this.#ranges([...by.verified, ...by.already]),
      bad: this.#ranges(by.bad),
      superseded: [...new Set([...swept, ...ended])],
      conflict: this.#ranges(by.conflict),
    }
  }

  /** Which of these blocks are verified here with that digest at that offset (P57). */
  attached(blocks: readonly { readonly start: number; readonly leaf: string }[]): RangeSet {
    const leaves = this.blocks.verifiedLeaves()
    const indices = blocks.filter(({ start, leaf }) => leaves.get(start / BLOCK_SIZE) === leaf)
    return this.#ranges(indices.map(({ start }) => start / BLOCK_SIZE))
  }

  status(): StatusAnswer {
    const isOver = this.hasEnded
    const sessions = Array.from(this.sessions.values(), (session): SessionStatus => {
      const { id, partition, start, end, recorded, status } = session
      return { session: id, partition, start, end, offset: recorded, state: status }
    })
    return {
      ...{ state: this.state, size: this.sizeBytes, sessions },
      ...{ verified: isOver ? [] : this.blocks.verifiedAnywhere, stored: isOver ? [] : this.blocks.stored },
      ...{ bad: isOver ? [] : this.blocks.bad, url: this.state === 'committed' ? this.url : null },
    }
  }

  /** At the home: a peer has verified these. */
  reported(store: string, leaves: ReadonlyMap<number, string>): void {
    if (this.hasEnded) return
    const landed = { verified: [] as number[], bad: [] as number[] }
    const elsewhere: number[] = []
    for (const [index, leaf] of leaves) {
      const known = this.blocks.isVerified(index) || this.blocks.reportedLeaf(index) !== undefined
      this.blocks.report(store, index, leaf)
      const outcome = this.blocks.claim(index, leaf)
      if (outcome === 'verified' || outcome === 'bad') landed[outcome].push(index)
      if (outcome !== 'verified' && !known) elsewhere.push(index)
    }
    this.#sweep()
    this.#tell(landed)
    this.save()
    this.#sayVerified(this.#ranges(elsewhere))
    if (elsewhere.length > 0) this.#host.coverageChanged(this)
  }

  /** At the home: these blocks of a peer could not be had after all. */
  withdraw(store: string, indices: Iterable<number>): void {
    if (this.hasEnded) return
    for (const index of indices) this.blocks.withdraw(store, index)
    const gone = [...indices].filter((index) => !this.blocks.isVerified(index) && !this.blocks.reportedLeaf(index))
    if (gone.length === 0) return
    this.#publish({ type: 'bad', group: this.id, ranges: this.#ranges(gone) })
    this.#host.coverageChanged(this)
  }

  /** At a peer: the home says what is verified somewhere. */
  noteElsewhere(verified: RangeSet): void {
    if (this.hasEnded) return
    const news = subtractRanges(verified, this.blocks.verifiedAnywhere)
    this.blocks.elsewhere = verified
    this.#sweep()
    this.save()
    this.#sayVerified(news)
  }

  /** At the home: a block that a peer had. */
  pulled(index: number, bytes: Uint8Array): void {
    if (this.hasEnded || this.blocks.isVerified(index)) return
    this.blocks.replace(index, bytes)
    if (this.commitRoot === undefined) this.pulledEarly += bytes.length
    else this.pulledAtCommit += bytes.length
    this.#sweep()
    this.save()
    this.#publish({ type: 'pulled', group: this.id, ranges: this.#ranges([index]) })
    this.#host.coverageChanged(this)
  }

  /** What is told is recorded before. */
  save(): void {
    for (const session of this.sessions.values()) session.recorded = session.offset
    const sessions = Array.from(this.sessions.values(), (session) => ({ ...session, writing: undefined }))
    this.#saved = { blocks: this.blocks.record(), sessions }
  }

  /** The process has ended: what was not recorded is gone, or was recorded in the last moment. */
  crash(losesUnrecorded: boolean): void {
    if (!losesUnrecorded) this.save()
    for (const session of this.sessions.values()) session.writing = undefined
    this.sessions.clear()
    for (const session of this.#saved.sessions) this.sessions.set(session.id, { ...session })
    this.blocks.restore(this.#saved.blocks)
    if (this.state === 'committing') this.state = 'open'
  }

  /** No body from now on: the file is being made. */
  beginCommit(): void {
    this.state = 'committing'
    for (const session of this.sessions.values())
      this.#stop(session, new Refusal(423, 'committing', { retryAfterMs: 1_000 }))
    this.save()
  }

  end(state: 'committed' | 'terminated' | 'expired'): void {
    if (this.hasEnded) return
    for (const session of this.sessions.values()) {
      if (state === 'committed') this.#stop(session, new Refusal(410, 'group-ended', { state }))
      else this.endSession(session, state)
    }
    this.state = state
    for (const store of this.participants) this.toTell.add(store)
    this.unseen.clear()
    this.blocks.clear()
    this.save()
    this.#publish(
      state === 'committed'
        ? { type: 'committed', group: this.id, url: this.url ?? '' }
        : { type: 'terminated', group: this.id },
    )
  }

  endSession(session: MemorySession, how: SessionEnd): void {
    if (session.ended || session.status === 'completed') return
    session.ended = how
    session.status = how === 'superseded' ? 'superseded' : 'failed'
    this.#stop(session, new Refusal(410, 'session-ended', { state: how }))
    const verified = this.blocks.release(session.id)
    this.save()
    if (how === 'superseded') this.#publish({ type: 'superseded', group: this.id, session: session.id })
    this.#tell({ verified, bad: [] })
    if (verified.length > 0) this.#sweep()
  }

  refuseEnded(): void {
    if (this.hasEnded) throw new Refusal(410, 'group-ended', { state: this.state })
  }

  refuseEndedSession(session: MemorySession): void {
    this.refuseEnded()
    if (session.ended) throw new Refusal(410, 'session-ended', { state: session.ended })
  }

  #refuseCommitting(): void {
    if (this.state === 'committing') throw new Refusal(423, 'committing', { retryAfterMs: 1_000 })
  }

  #stop(session: MemorySession, refusal: Refusal): void {
    const { writing } = session
    session.writing = undefined
    writing?.onStopped(refusal)
  }

  #lowerEnd(session: MemorySession, end: number): void {
    const least = Math.max(end, session.start + session.offset)
    const rounded = Math.min(Math.ceil(least / BLOCK_SIZE) * BLOCK_SIZE, this.sizeBytes)
    if (session.ended || session.end <= rounded) return
    session.end = rounded
    // a body that stands at its new end is answered at once
    if (this.isFull(session)) this.#stop(session, new Refusal(409, 'session-full', { state: 'completed' }))
  }

  /** Completes the sessions that brought all of a range that is verified, ends those with nothing left to bring (P67). */
  #sweep(): string[] {
    this.blocks.dropVerifiedCopies()
    const verified = this.blocks.verifiedAnywhere
    const superseded: string[] = []
    for (const session of this.sessions.values()) {
      if (session.status !== 'inProgress' || !coversRange(verified, session)) continue
      if (this.isFull(session)) session.status = 'completed'
      for (const other of this.sessions.values()) {
        const isRedundant = !this.isFull(other) && coversRange(verified, other)
        if (other.partition !== session.partition || other.status !== 'inProgress' || !isRedundant) continue
        superseded.push(other.id)
        this.endSession(other, 'superseded')
      }
    }
    return superseded
  }

  #tell({ verified, bad }: { verified: readonly number[]; bad: readonly number[] }): void {
    if (verified.length + bad.length === 0) return
    this.save()
    this.#sayVerified(this.#ranges(verified))
    if (bad.length > 0) this.#publish({ type: 'bad', group: this.id, ranges: this.#ranges(bad) })
    if (verified.length === 0) return
    this.#host.verifiedHere(this)
    this.#host.coverageChanged(this)
  }

  #sayVerified(ranges: RangeSet): void {
    if (ranges.length > 0) this.#publish({ type: 'verified', group: this.id, ranges })
  }

  #publish(event: ServerEvent): void {
    this.#host.publish(this, event)
  }

  #endOf(id: string): string | undefined {
    return this.unseen.get(id) ?? this.sessions.get(id)?.ended
  }

  #ranges(indices: readonly number[]): RangeSet {
    return rangesOfBlocks(indices, this.sizeBytes)
  }
}
