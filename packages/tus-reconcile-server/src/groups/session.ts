import type { Hash } from 'node:crypto'
import type { RecordedSessionState, SessionRecord } from '../records/partition-index.js'

/** How a session ended for good without completing. */
export type SessionEnd = 'superseded' | 'terminated' | 'expired'
/** Why a running write was ended by somebody else. */
export type StopCause = SessionEnd | 'replaced' | 'committing' | 'committed' | 'closing'

/** One request body on its way into a session. At most one per session. */
export class RunningWrite {
  readonly finished: Promise<void>
  #finish: () => void = () => {}
  #stopped: StopCause | undefined
  #isLastBlock = false
  /** Set by whoever reads the body: look again whether to go on. */
  onChange: () => void = () => {}

  constructor() {
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  get stopped(): StopCause | undefined {
    return this.#stopped
  }

  stop(cause: StopCause): void {
    this.#stopped ??= cause
    this.onChange()
  }

  /** Takes the rest of the block that it is in, and stops there. */
  endWithBlock(): void {
    this.#isLastBlock = true
    this.onChange()
  }

  get endsWithBlock(): boolean {
    return this.#isLastBlock
  }

  /** Its last byte was written and counted. */
  finish(): void {
    this.#finish()
  }
}

/** SHA-256 of block `index` as far as absolute offset `at`. */
export interface BlockHash {
  readonly index: number
  readonly sha: Hash
  readonly at: number
}

/** One upload of one partition to this store. Offsets are relative to `start`; changed only in its group's queue. */
export class Session {
  readonly id: string
  readonly partition: string
  readonly client: string
  readonly start: number
  /** Written or being written. */
  admitted = 0
  /** Recorded: what may be acknowledged. */
  acked = 0
  hash: BlockHash | undefined
  running: RunningWrite | undefined
  /** The write in flight, settled when there is none; never rejects. */
  pending: Promise<void> = Promise.resolve()
  /** Set by its group: what the record says of this session is no longer true. */
  onChange: () => void = () => {}
  #end: number | null
  #offset = 0
  #attempt: number
  #ended: SessionEnd | undefined

  constructor(facts: {
    readonly id: string
    readonly partition: string
    readonly client: string
    readonly start: number
    readonly end: number | null
    readonly attempt: number
  }) {
    this.id = facts.id
    this.partition = facts.partition
    this.client = facts.client
    this.start = facts.start
    this.#end = facts.end
    this.#attempt = facts.attempt
  }

  /** Planned end, absolute; null while it is open. */
  get end(): number | null {
    return this.#end
  }

  set end(end: number | null) {
    this.#end = end
    this.onChange()
  }

  /** Written. */
  get offset(): number {
    return this.#offset
  }

  set offset(offset: number) {
    this.#offset = offset
    this.onChange()
  }

  /** The highest that was seen. */
  get attempt(): number {
    return this.#attempt
  }

  set attempt(attempt: number) {
    this.#attempt = attempt
    this.onChange()
  }

  get ended(): SessionEnd | undefined {
    return this.#ended
  }

  set ended(ended: SessionEnd | undefined) {
    this.#ended = ended
    this.onChange()
  }

  static restore(record: SessionRecord): Session {
    const session = new Session(record)
    session.offset = session.admitted = session.acked = record.offset
    if (record.state !== 'inProgress' && record.state !== 'completed') session.ended = record.state
    return session
  }

  /** Its bytes from `offset` on are gone: it goes on there. Nothing may be writing. */
  setBack(offset: number): void {
    this.offset = this.admitted = this.acked = offset
    this.hash = undefined
  }

  record(checksum: string | null): SessionRecord {
    const { id, partition, client, start, end, offset, attempt } = this
    const state: RecordedSessionState = this.ended ?? (checksum === null ? 'inProgress' : 'completed')
    return { id, partition, client, start, end, offset, attempt, state, checksum }
  }
}
