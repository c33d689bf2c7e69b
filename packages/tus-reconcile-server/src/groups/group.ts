import type { GroupState } from 'tus-reconcile-protocol'
import { coversRange } from 'tus-reconcile-protocol'
import type { ChangeSource, CommitRecord, GroupChange, GroupHeader, GroupRecord } from '../records/partition-index.js'
import type { BlockFile } from './block-file.js'
import { BlockTable } from './block-table.js'
import type { GroupFacts, GroupPorts, Metadata } from './group-facts.js'
import { GroupQueue } from './group-queue.js'
import type { Notice } from './notice.js'
import { Refusal } from './refusal.js'
import { Session } from './session.js'
import { SideBlocks } from './side-blocks.js'
import { TrackedMap } from './tracked-map.js'
import { UnseenSessions } from './unseen-sessions.js'
import { UploadStatuses } from './upload-status.js'

/** All that is known of one file's upload in this store. Its state changes only in its own queue. */
export class Group implements ChangeSource {
  readonly id: string
  home: string
  homeMove: { readonly from: string | null } | null
  readonly scope: string | null
  readonly ports: GroupPorts
  readonly file: BlockFile
  readonly queue: GroupQueue = new GroupQueue()
  readonly blocks: BlockTable
  readonly sides: SideBlocks
  readonly unseen: UnseenSessions
  readonly statuses: UploadStatuses
  readonly participants: Set<string> = new Set()
  readonly toTell: Set<string> = new Set()
  fileId: string
  url: string | null
  size: number | null
  maxSize: number | null
  metadata: Metadata | null
  opened: boolean
  state: GroupState = 'open'
  createdAt: number
  touchedAt: number
  pulledEarly = 0
  pulledAtCommit = 0
  copied = 0
  commit: CommitRecord | null = null
  /** Its file may have been made already: a commit was begun before, in this run or the last one. */
  commitBegun = false
  /** It has ended, but that is not recorded yet, or not all of it cleared up. `made`: its bytes are the file. */
  ending: 'made' | 'dropped' | undefined
  /** Out of the records: nothing of it is saved any more. */
  forgotten = false
  readonly #sessions = new TrackedMap<string, Session>()

  constructor(facts: GroupFacts, ports: GroupPorts) {
    this.id = facts.id
    this.home = facts.home
    this.homeMove = facts.homeMove ?? null
    this.scope = facts.scope ?? null
    this.fileId = facts.fileId
    this.url = facts.url
    this.size = facts.size
    this.maxSize = facts.maxSize
    this.metadata = facts.metadata
    this.opened = facts.opened
    this.ports = ports
    this.file = ports.files.open(facts.id)
    this.blocks = new BlockTable(ports.budgets.claims)
    this.sides = new SideBlocks(ports.files.openSide(facts.id), ports.budgets.sides)
    this.unseen = new UnseenSessions(ports.budgets.unseen)
    this.createdAt = this.touchedAt = ports.now()
    this.statuses = new UploadStatuses(
      (uploadID) => this.#isRedundant(uploadID),
      (uploadID) => this.#sessions.touch(uploadID),
    )
  }

  static restore(record: GroupRecord, ports: GroupPorts): Group {
    const { header } = record
    const group = new Group(header, ports)
    group.state = header.state
    group.createdAt = header.createdAt
    group.touchedAt = header.touchedAt
    group.pulledEarly = header.pulledEarly
    group.pulledAtCommit = header.pulledAtCommit
    group.copied = header.copied ?? 0
    group.commit = header.commit
    group.commitBegun = header.state === 'committing'
    group.blocks.restore(record)
    for (const store of header.participants) group.participants.add(store)
    for (const store of header.toTell) group.toTell.add(store)
    for (const held of record.sessions) {
      if (group.unseen.restore(held)) continue
      const session = Session.restore(held)
      group.#adopt(session)
      group.#sessions.restore(held.id, session)
      const failed = session.ended === 'superseded' ? 'superseded' : 'failed'
      group.statuses.restore({
        partitionID: held.partition,
        uploadID: held.id,
        status: session.ended ? failed : held.state === 'completed' ? 'completed' : 'inProgress',
        checksum: held.checksum,
      })
    }
    if (group.hasEnded) group.unseen.forget()
    return group
  }

  get sessions(): ReadonlyMap<string, Session> {
    return this.#sessions
  }

  addSession(session: Session): void {
    this.#adopt(session)
    this.#sessions.set(session.id, session)
    this.statuses.addUpload(session.partition, session.id)
  }

  /** `Infinity` while the size is unknown: ranges of whole blocks are right all the same. */
  get knownSize(): number {
    return this.size ?? Number.POSITIVE_INFINITY
  }

  get hasEnded(): boolean {
    return this.state !== 'open' && this.state !== 'committing'
  }

  /** Whether this is the group's home, or was it when the client began. */
  isHome(store: string): boolean {
    return store === this.home || store === this.homeMove?.from
  }

  get clients(): ReadonlySet<string> {
    return new Set(Array.from(this.sessions.values(), (session) => session.client))
  }

  /** It has ended, and its record keeps nothing of this: neither does the process. */
  forgetDetails(): void {
    this.blocks.clear()
    this.unseen.forget()
  }

  /** Whether a body is on its way in: its end says that nobody writes for now. */
  get isReceiving(): boolean {
    for (const session of this.#sessions.values()) if (session.running) return true
    return false
  }

  /** Nobody writes for now. */
  async idle(): Promise<void> {
    await this.file.idle()
    await this.sides.idle()
  }

  /** @throws Refusal before the disk is so full that records cannot be written any more */
  async refuseWhenFull(): Promise<void> {
    if (await this.ports.isDiskFull?.()) throw new Refusal('no-space', 'the disk is nearly full: what arrived is kept')
  }

  isLive(session: Session): boolean {
    return this.statuses.get(session.id)?.status === 'inProgress'
  }

  /** Where the session takes no more bytes: its planned end, or the file's, or the largest file's. */
  limitOf(session: Session): number {
    const most = this.size ?? this.maxSize ?? Number.MAX_SAFE_INTEGER
    return Math.min(session.end ?? most, most)
  }

  isFull(session: Session): boolean {
    const end = session.end ?? this.size
    return end !== null && session.start + session.offset >= end
  }

  /** Settles once the state as it is now is recorded. */
  save(): Promise<void> {
    if (this.forgotten) return Promise.resolve()
    return this.ports.index.save(this.id, this)
  }

  /**
   * Needed before bytes go where a whole block was: until the record says that it is no more, a crash would leave its
   * digest with the bytes of another.
   */
  recordLoss(blocks: readonly number[]): Promise<void> | undefined {
    const lost = blocks.filter((index) => this.blocks.isLossUnrecorded(index))
    return lost.length === 0 ? undefined : this.save().then(() => this.blocks.lossRecorded(lost))
  }

  notify(notice: Notice): void {
    this.ports.notify(notice)
  }

  /** The header is always given: it is small, and hardly a change leaves it as it is. */
  takeChange(): GroupChange {
    const sessions = this.#sessions.takeChanges().flatMap(([, session]) => session ?? [])
    return {
      header: this.#header(),
      sessions: [
        ...sessions.map((session) => session.record(this.statuses.get(session.id)?.checksum ?? null)),
        ...this.unseen.takeChanges(),
      ],
      ...this.blocks.takeChanges(),
    }
  }

  /** What a record says is on the disk must not go in a power cut that the record survives. */
  async settleBytes(): Promise<void> {
    if (this.ports.isDurable && !this.hasEnded) await this.file.sync()
  }

  /** A commit that has failed where its bytes may be the file already is ended at the next start. */
  #header(): GroupHeader {
    const { id, home, homeMove, scope, fileId, url, size, maxSize, metadata, opened, createdAt, touchedAt } = this
    const state = this.commitBegun && !this.hasEnded ? 'committing' : this.state
    return {
      ...{ id, home, scope, fileId, url, size, maxSize, metadata, state, opened, createdAt, touchedAt },
      ...(homeMove ? { homeMove } : {}),
      participants: [...this.participants],
      toTell: [...this.toTell],
      pulledEarly: this.pulledEarly,
      pulledAtCommit: this.pulledAtCommit,
      ...(this.copied > 0 ? { copied: this.copied } : {}),
      commit: this.commit,
    }
  }

  #adopt(session: Session): void {
    session.onChange = () => this.#sessions.touch(session.id)
    this.blocks.claims.belongTo(session.client)
  }

  #isRedundant(uploadID: string): boolean {
    const session = this.sessions.get(uploadID)
    const end = session?.end ?? this.size
    if (!session || end === null || this.isFull(session)) return false
    return coversRange(this.blocks.verifiedAnywhere(this.knownSize), { start: session.start, end })
  }
}
