import type { ByteRange, GroupState } from 'tus-reconcile-protocol'

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

/** `[index, 'p', session]`: being written; `[index, 'h', leaf]`: whole here; `[index, 'v', leaf]`: verified here. */
export type BlockRecord = readonly [index: number, state: 'p' | 'h' | 'v', ownerOrLeaf: string]

/** The commit that was asked for; `hook` says whether the user's finish hook has run for it. */
export interface CommitRecord {
  readonly size: number
  readonly root: string
  readonly hook: 'pending' | 'done' | 'refused'
  readonly refusal: { readonly status: number; readonly body: string } | null
}

/** All that is kept of one group. Everything in it was true of the bytes on disk when it was taken. */
export interface GroupRecord {
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
  readonly createdAt: number
  readonly touchedAt: number
  readonly sessions: readonly SessionRecord[]
  readonly blocks: readonly BlockRecord[]
  readonly claims: readonly (readonly [index: number, leaves: readonly string[]])[]
  readonly bad: readonly number[]
  /** At the home: what each peer verified. */
  readonly reports: readonly { readonly store: string; readonly blocks: readonly (readonly [number, string])[] }[]
  /** At a peer: what the home says is verified somewhere. */
  readonly elsewhere: readonly ByteRange[]
  /** At the home: the stores that take part. */
  readonly participants: readonly string[]
  /** At the home: the stores that have not yet acknowledged how the group ended. */
  readonly toTell: readonly string[]
  readonly pulledEarly: number
  readonly pulledAtCommit: number
  readonly commit: CommitRecord | null
}

/**
 * Where groups are recorded. `save` settles once a snapshot that was taken after the call is kept: whatever is
 * acknowledged to anybody is acknowledged after that. Snapshots are taken late, so that many saves become one write.
 */
export interface PartitionIndex {
  load(): Promise<readonly GroupRecord[]>
  save(id: string, snapshot: () => GroupRecord): Promise<void>
  remove(id: string): Promise<void>
  close(): Promise<void>
}
