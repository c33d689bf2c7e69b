import type { PartitionHeader, SessionStatus, UploadState } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { Refusal } from './memory-refusal.js'

/** Why a session takes nothing more for good. */
export type SessionEnd = 'superseded' | 'terminated' | 'expired'

/** A body on its way in. */
export interface Writing {
  readonly attempt: number
  /** Told once when somebody else ends it. */
  onStopped: (refusal: Refusal) => void
}

/** All of a session that a crash leaves. */
export interface SavedSession {
  readonly id: string
  readonly partition: string
  readonly client: string
  readonly start: number
  readonly end: number
  readonly offset: number
  readonly attempt: number
  readonly status: MemorySession['status']
  readonly ended: SessionEnd | undefined
}

/** One upload of one range to one store: whose turn it is to write, and how far it is. Offsets count from `start`. */
export class MemorySession {
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
  #writing: Writing | undefined

  constructor(saved: SavedSession) {
    this.id = saved.id
    this.partition = saved.partition
    this.client = saved.client
    this.start = saved.start
    this.end = saved.end
    this.offset = saved.offset
    this.recorded = saved.offset
    this.attempt = saved.attempt
    this.status = saved.status
    this.ended = saved.ended
  }

  /** As a creation names it. @throws Refusal where its range is none of the file's */
  static begin(header: PartitionHeader, sizeBytes: number): MemorySession {
    const { session: id, partition, client, start, end = sizeBytes, attempt } = header
    const isOnGrid = start % BLOCK_SIZE === 0 && (end % BLOCK_SIZE === 0 || end === sizeBytes)
    if (!isOnGrid || end < start || end > sizeBytes) throw new Refusal(400, 'bad-request')
    const status = 'inProgress' as const
    return new MemorySession({ id, partition, client, start, end, offset: 0, attempt, status, ended: undefined })
  }

  get isFull(): boolean {
    return this.start + this.offset >= this.end
  }

  /** P24 to P27: who may act on the session now. A newer attempt ends the body that runs. @throws Refusal */
  takeTurn(attempt: number): void {
    if (attempt < this.attempt) throw new Refusal(409, 'lower-attempt')
    if (this.#writing && attempt === this.attempt) throw new Refusal(423, 'still-writing', { retryAfterMs: 1_000 })
    this.attempt = attempt
    this.stop(new Refusal(409, 'replaced'))
  }

  /** A body may begin at `offset`. @throws Refusal */
  beginWrite(attempt: number, offset: number): Writing {
    if (offset !== this.offset) throw new Refusal(409, 'bad-offset')
    this.#writing = { attempt, onStopped: () => {} }
    return this.#writing
  }

  endWrite(writing: Writing): void {
    if (this.#writing === writing) this.#writing = undefined
  }

  /** Ends the body that runs. */
  stop(refusal: Refusal): void {
    const writing = this.#writing
    this.#writing = undefined
    writing?.onStopped(refusal)
  }

  /** Never below what it has; to the end of a block. */
  lowerEnd(end: number, sizeBytes: number): void {
    const least = Math.max(end, this.start + this.offset)
    const rounded = Math.min(Math.ceil(least / BLOCK_SIZE) * BLOCK_SIZE, sizeBytes)
    if (this.ended || this.end <= rounded) return
    this.end = rounded
    // a body that stands at its new end is answered at once
    if (this.isFull) this.stop(new Refusal(409, 'session-full', { state: 'completed' }))
  }

  /** What is told is recorded before. */
  save(): SavedSession {
    this.recorded = this.offset
    const { id, partition, client, start, end, offset, attempt, status, ended } = this
    return { id, partition, client, start, end, offset, attempt, status, ended }
  }

  describe(): SessionStatus {
    const { id, partition, start, end, recorded, status } = this
    return { session: id, partition, start, end, offset: recorded, state: status }
  }
}
