import type { BlockFile, BlockFiles } from '../groups/block-file.js'

export interface FinaliseOptions {
  /** This very commit was begun before: that the bytes are at the target already is no error. Default: false. */
  readonly isRepeat?: boolean
  /** Settle only when a power cut no longer takes the file. Default: false. */
  readonly isDurable?: boolean
}

/** The bytes of one group, until they become an ordinary file. */
export interface RangeFile extends BlockFile {
  /**
   * Makes the file of exactly `size` bytes at `target`, without moving a byte where the backend can. What lies at
   * `target` already is never overwritten: that rejects with EEXIST, unless `isRepeat` and the data has gone there.
   * Data that does not exist rejects with ENOENT, but for an empty file.
   */
  finalise(target: string, size: number, options?: FinaliseOptions): Promise<void>
}

/** What lies under a name. */
export interface StoredBytes {
  /** From the first byte to the last that was written; holes count. */
  readonly length: number
  /** Epoch milliseconds of the last write. */
  readonly changedAt: number
}

/**
 * Where the bytes of groups lie. A sparse file each at first; an object store with a fixed part grid can follow.
 * `testing/backend-conformance.ts` is what every one of them does.
 */
export interface RangeBackend extends BlockFiles {
  /** Partitions that begin and end on multiples of this many bytes suit the backend best. */
  readonly boundaryQuantum: number
  /** @param name the group's id. What was written under it by an earlier process is there again. */
  open(name: string): RangeFile
  /** All that lies here, by the groups' ids; side bytes are left out. */
  stored(): Promise<ReadonlyMap<string, StoredBytes>>
  /** Removes the side bytes that an earlier process left. Called once, before any is opened. */
  sweepSides(): Promise<void>
  /** Bytes that can still be written; `Infinity` where nobody knows. */
  freeBytes(): Promise<number>
}
