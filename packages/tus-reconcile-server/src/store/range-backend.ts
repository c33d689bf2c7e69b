import type { BlockFile } from '../groups/block-file.js'

/** The bytes of one group, until they become an ordinary file. */
export interface RangeFile extends BlockFile {
  /**
   * Makes the file of exactly `size` bytes at `target`, without moving a byte. What lies at `target` already is never
   * overwritten: that rejects with EEXIST, unless `isRepeat` (this commit was begun before) and the data has gone
   * there. Data that does not exist rejects with ENOENT, but for an empty file.
   */
  finalise(target: string, size: number, isRepeat?: boolean): Promise<void>
}

/** Where the bytes of groups lie. A sparse file each at first; an object store with a fixed part grid can follow. */
export interface RangeBackend {
  /** Partitions that begin and end on multiples of this many bytes suit the backend best. */
  readonly boundaryQuantum: number
  /** @param name the group's id */
  open(name: string): RangeFile
}
