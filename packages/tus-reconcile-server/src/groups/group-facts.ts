import type { GroupHeader, PartitionIndex } from '../records/partition-index.js'
import type { BlockFiles } from './block-file.js'
import type { GroupBudgets } from './budgets.js'
import type { Group } from './group.js'
import type { Notice } from './notice.js'

/** What a group needs of the world. */
export interface GroupPorts {
  readonly index: PartitionIndex
  readonly files: BlockFiles
  /** What the groups may keep together. */
  readonly budgets: GroupBudgets
  /** Bytes are synced before a record that speaks of them is kept. Default: false. */
  readonly isDurable?: boolean
  /** Whether the disk is nearly full. Default: never. */
  readonly isDiskFull?: () => boolean | Promise<boolean>
  /** Bytes of another file of this store, finished or not; none where they are gone. Default: never any. */
  readonly readStored?: (fileId: string, position: number, length: number) => Promise<Uint8Array>
  /** Removes what a commit that failed has made of the file already. Default: nothing is left. */
  readonly unmakeFile?: (group: Group) => Promise<void>
  readonly now: () => number
  readonly notify: (notice: Notice) => void
}

export type Metadata = NonNullable<GroupHeader['metadata']>

/** What is known of a group when it is opened, as in its record. */
export type GroupFacts = Pick<
  GroupHeader,
  'id' | 'home' | 'fileId' | 'url' | 'size' | 'maxSize' | 'metadata' | 'opened' | 'homeMove' | 'scope'
>
