import type { ByteRange, GroupState } from 'tus-reconcile-protocol'
import type { ContentIndex } from './content-index.js'

/** How a session stands in the record; the last three are tombstones that answer 410. */
export type RecordedSessionState = 'inProgress' | 'completed' | 'superseded' | 'terminated' | 'expired'

export interface SessionRecord {
  readonly id: string
  readonly partition: string
  readonly client: string
  readonly start: number
  readonly end: number | null
  readonly offset: number
  readonly attempt: number
  readonly state: RecordedSessionState
  readonly checksum: string | null
}

/** `['p', session]`: being written; `['h', leaf]`: whole here; `['v', leaf]`: verified here; `['v', leaf, 'attached']`: copied, not sent. */
export type BlockRecord = readonly [state: 'p' | 'h' | 'v', ownerOrLeaf: string, ...how: 'attached'[]]

/** The commit that was asked for; `hook` says whether the user's finish hook has run for it. */
export interface CommitRecord {
  readonly size: number
  readonly root: string
  readonly hook: 'pending' | 'done' | 'refused'
  readonly refusal: { readonly status: number; readonly body: string } | null
  /** SHA-256 of the whole file, base64, where it was known at the commit. */
  readonly sha256?: string | null
  /** The file was deleted since: what has its name now is another. */
  readonly removed?: boolean
}

/** What is kept of a group itself; small, for it is written with every change. */
export interface GroupHeader {
  readonly id: string
  readonly home: string
  readonly fileId: string
  /** The file's URL as the home named it; null where it has not been learnt yet. */
  readonly url: string | null
  readonly size: number | null
  /** The largest file that the home allows; null without a limit. */
  readonly maxSize: number | null
  readonly metadata: Readonly<Record<string, string | null>> | null
  readonly state: GroupState
  /** The home agreed to this group. */
  readonly opened: boolean
  /** Null or absent: committed at its home alone. Else the home may move, and `from` is where it was before it did. */
  readonly homeMove?: { readonly from: string | null } | null
  readonly createdAt: number
  readonly touchedAt: number
  /** At the home: the stores that take part. */
  readonly participants: readonly string[]
  /** At the home: the stores that have not yet acknowledged how the group ended. */
  readonly toTell: readonly string[]
  readonly pulledEarly: number
  readonly pulledAtCommit: number
  /** Bytes of blocks that were not sent, but copied from where they were held already. Absent: 0. */
  readonly copied?: number
  readonly commit: CommitRecord | null
  /** Of which files the blocks are known again in this one; null: of this one only. */
  readonly scope?: string | null
}

/** What belongs to a group, each with its key. `Gone` marks what is there no more. */
interface GroupParts<Gone> {
  readonly header: GroupHeader
  /** Sessions never go: ended ones are tombstones. */
  readonly sessions: readonly SessionRecord[]
  readonly blocks: readonly (readonly [index: number, block: BlockRecord | Gone])[]
  /** Leaves that were claimed for blocks that are not verified. */
  readonly claims: readonly (readonly [index: number, leaves: readonly string[] | Gone])[]
  /** Blocks whose bytes were not what was claimed, until they have come again. */
  readonly bad: readonly (readonly [index: number, isBad: true | Gone])[]
  /** At the home: what each peer verified. */
  readonly reports: readonly (readonly [store: string, index: number, leaf: string | Gone])[]
}

/**
 * What has changed in a group since the last change was taken: one atomic step of its record. Of a group that has
 * ended the header and the sessions stay, everything else goes.
 */
export interface GroupChange extends GroupParts<null> {
  /** At a peer: what the home says is verified somewhere; null while that is as before. */
  readonly elsewhere: readonly ByteRange[] | null
}

/** All that is kept of one group: the change from nothing. It was true of the bytes on disk when it was taken. */
export interface GroupRecord extends GroupParts<never> {
  readonly elsewhere: readonly ByteRange[]
}

/** An entry that cannot be read. It stays as it is until `discard`. */
export interface DamagedEntry {
  readonly key: string
  /** Its group; of one whose header is damaged nothing is loaded. */
  readonly group: string
  readonly reason: string
}

export interface LoadedRecords {
  readonly groups: readonly GroupRecord[]
  readonly damaged: readonly DamagedEntry[]
}

/** Where the changes of a group come from, when a batch is put together. */
export interface ChangeSource {
  /** What has changed since the last call. Taken at once; what is taken is not given again. */
  takeChange(): GroupChange
  /** Settles when the bytes that the taken change speaks of are as durable as the record is going to be. */
  settleBytes?(): Promise<void>
}

/**
 * Where groups are recorded. `save` settles once a change that was taken after the call is kept, whole or not at all:
 * whatever is acknowledged to anybody is acknowledged after that. Changes are taken late, so that many saves become
 * one write. One that could not be written is kept in memory and goes with the group's next.
 *
 * All methods are asynchronous and none hands out anything live, so that a shared index can follow. Errors that tell
 * the user what to do are `IndexError`s.
 */
export interface PartitionIndex {
  /** Which blocks are stored where, in the same database: a `put` and a `save` of one tick are one batch. */
  readonly contents: ContentIndex
  /** Opens the index. Needed before anything else. */
  load(): Promise<LoadedRecords>
  save(id: string, source: ChangeSource): Promise<void>
  /** Forgets the group with all that belongs to it. */
  remove(id: string): Promise<void>
  /** Deletes damaged entries; with a group's header all of the group. Its bytes are left to whoever asks for this. */
  discard(damaged: readonly DamagedEntry[]): Promise<void>
  /** What was saved before is kept. */
  close(): Promise<void>
}
