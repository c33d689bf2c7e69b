import type {
  ClaimRequest,
  CommitRequest,
  GroupOperationRequest,
  PlanRequest,
  RangeSet,
  ServerEvent,
  SessionStatus,
} from 'tus-reconcile-protocol'
import {
  BLOCK_SIZE,
  blockCount,
  blockFloor,
  blockRange,
  encodeDigest,
  intersectRanges,
  merkleRoot,
  missingRanges,
  rangesOfBlocks,
  subtractRanges,
  toRangeSet,
  totalBytes,
  wholeBlocks,
} from 'tus-reconcile-protocol'
import type { Attempt, AttemptOutcome } from '../orchestration/ports.js'
import { OperationError } from '../orchestration/ports.js'
import { sha256 } from './memory-source.js'
import { claimAnswer, statusOf } from './transfer-rig.js'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type MemorySession = Mutable<SessionStatus> & { end: number }

/** What the stores of one file's group know together, as good peers do. The first store is the home. */
export class MemoryGroup {
  readonly sizeBytes: number
  readonly stores: readonly MemoryStore[]
  readonly claims = new Map<number, string>()
  id = ''
  state: 'open' | 'committed' | 'terminated' = 'open'
  verified: RangeSet = []

  constructor(o: { stores: number; sizeBytes: number }) {
    this.sizeBytes = o.sizeBytes
    this.stores = Array.from({ length: o.stores }, (_, i) => new MemoryStore(`s${i}`, this))
  }

  /** The file as the home would serve it. */
  get file(): Uint8Array {
    return this.stores[0]?.file ?? new Uint8Array()
  }
}

/** One store of a group in memory: docs/protocol.md, as far as one client needs it. */
export class MemoryStore {
  readonly id: string
  readonly #group: MemoryGroup
  readonly file: Uint8Array
  readonly sessions = new Map<string, MemorySession>()
  readonly listeners = new Set<(event: ServerEvent) => void>()
  /** Of bodies, whether they were used or not. */
  receivedBytes = 0
  readonly #digests = new Map<number, string>()

  constructor(id: string, group: MemoryGroup) {
    this.id = id
    this.#group = group
    this.file = new Uint8Array(group.sizeBytes)
  }

  get #stored(): RangeSet {
    return rangesOfBlocks(this.#digests.keys(), this.#group.sizeBytes)
  }

  /** The head of a request has come: its session, or what answers it at once. */
  open({ partition, url, range }: Attempt): MemorySession | AttemptOutcome {
    this.#group.id = partition.group
    if (this.#group.state !== 'open') return { kind: 'over', state: this.#group.state, status: 410 }
    const known = this.sessions.get(partition.session)
    if (known) {
      if (known.state !== 'inProgress') return { kind: 'over', state: 'terminated', status: 410 }
      const isLook = url === undefined && range.end === range.start
      if (isLook) return this.answer(known, known.start + known.offset)
      return url !== undefined && known.start + known.offset === range.start ? known : this.answer(known, Infinity)
    }
    const { session, partition: name, start, end = this.#group.sizeBytes } = partition
    const created: MemorySession = { session, partition: name, start, end, offset: 0, state: 'inProgress' }
    this.sessions.set(session, created)
    return created
  }

  /** So many more bytes of a session have come. */
  async take(session: MemorySession, bytes: Uint8Array): Promise<void> {
    this.receivedBytes += bytes.length
    if (session.state !== 'inProgress' || this.#group.state !== 'open') return
    const from = session.start + session.offset
    this.file.set(bytes, from)
    session.offset += bytes.length
    const { sizeBytes, id } = this.#group
    const { first, last } = wholeBlocks({ start: blockFloor(from), end: from + bytes.length }, sizeBytes)
    for (let index = first; index < last; index++) {
      const { start, end } = blockRange(index, sizeBytes)
      this.#digests.set(index, encodeDigest(await sha256.digest(this.file.subarray(start, end))))
    }
    this.#tell({ type: 'offset', group: id, session: session.session, offset: session.offset })
    this.#verify()
  }

  /** What a request that wanted to bring bytes up to `wanted` hears in the end. */
  answer(session: MemorySession, wanted: number): AttemptOutcome {
    const offset = session.start + session.offset
    const url = `http://${this.id}.test/files/g.${session.session}`
    if (offset >= wanted) return { kind: 'accepted', offset, url }
    return { kind: 'mismatch', offset, url, reachedEnd: offset >= session.end }
  }

  /** An operation, relayed to the store that it is for. @throws OperationError */
  async operate(request: GroupOperationRequest): Promise<object> {
    const isHomes = request.op === 'commit' || request.op === 'terminate'
    const store = this.#group.stores.find(({ id }) => id === (isHomes ? request.home : (request.store ?? this.id)))
    if (!store) throw new OperationError({ status: 404, code: 'unknown-store', message: 'no such store' })
    return store.#carryOut(request)
  }

  async #carryOut(request: GroupOperationRequest): Promise<object> {
    const group = this.#group
    const isEnded = group.state !== 'open' && request.op !== 'status' && request.op !== 'commit'
    if (isEnded) throw new OperationError({ status: 410, code: 'group-ended', message: group.state })
    if (request.op !== 'terminate' && this.sessions.size === 0 && group.id === '')
      throw new OperationError({ status: 404, code: 'unknown-group', message: 'no such group' })
    if (request.op === 'status') {
      const sessions = [...this.sessions.values()]
      return statusOf({ state: group.state, verified: group.verified, stored: this.#stored, sessions })
    }
    if (request.op === 'terminate') {
      group.state = 'terminated'
      return { state: 'terminated' }
    }
    if (request.op === 'claim') return this.#claim(request)
    if (request.op === 'plan') return this.#plan(request)
    if (request.op === 'commit') return this.#commit(request)
    return { attached: [] }
  }

  #claim({ claims }: ClaimRequest): object {
    const claimed: number[] = []
    for (const { start, leaves } of claims) {
      for (const [i, leaf] of leaves.entries()) {
        this.#group.claims.set(start / BLOCK_SIZE + i, leaf)
        claimed.push(start / BLOCK_SIZE + i)
      }
    }
    this.#verify()
    return claimAnswer({
      verified: intersectRanges(this.#group.verified, rangesOfBlocks(claimed, this.#group.sizeBytes)),
    })
  }

  #plan({ changes }: PlanRequest): object {
    for (const change of changes) {
      const session = this.sessions.get(change.session)
      if (!session) continue
      if ('drop' in change) session.state = session.state === 'inProgress' ? 'failed' : session.state
      else session.end = Math.max(change.end, session.start + session.offset)
    }
    return { sessions: changes.flatMap(({ session }) => this.sessions.get(session) ?? []) }
  }

  async #commit({ root }: CommitRequest): Promise<object> {
    const { sizeBytes, verified, stores } = this.#group
    const missing = missingRanges(verified, sizeBytes)
    if (missing.length > 0) return { state: 'incomplete', missing, bad: [] }
    const pulled = missingRanges(this.#stored, sizeBytes)
    for (const peer of stores)
      for (const { start, end } of intersectRanges(pulled, peer.#stored))
        this.file.set(peer.file.subarray(start, end), start)
    const leaves = Array.from({ length: blockCount(sizeBytes) }, (_, index) => blockRange(index, sizeBytes))
    const digests = await Promise.all(leaves.map(({ start, end }) => sha256.digest(this.file.subarray(start, end))))
    const own = encodeDigest(await merkleRoot(digests, sizeBytes, (bytes) => sha256.digest(bytes)))
    if (own !== root) throw new OperationError({ status: 460, code: 'root-mismatch', message: 'another root' })
    this.#group.state = 'committed'
    const url = `http://${this.id}.test/files/${this.#group.id}`
    return { state: 'committed', url, pulledAtCommit: totalBytes(pulled), pulledEarly: 0 }
  }

  #verify(): void {
    const { claims, sizeBytes, id } = this.#group
    const right = [...this.#digests].filter(([index, digest]) => claims.get(index) === digest)
    const ranges = rangesOfBlocks(
      right.map(([index]) => index),
      sizeBytes,
    )
    const fresh = subtractRanges(ranges, this.#group.verified)
    if (fresh.length === 0) return
    this.#group.verified = toRangeSet([...this.#group.verified, ...fresh])
    this.#tell({ type: 'verified', group: id, ranges: fresh })
  }

  #tell(event: ServerEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}
