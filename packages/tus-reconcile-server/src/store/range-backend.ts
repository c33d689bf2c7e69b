import type { BlockFile } from '../groups/block-file.js'

/** The bytes of one group, until they become an ordinary file. */
export interface RangeFile extends BlockFile {
  /** Makes the file of exactly `size` bytes at `target`, without moving a byte. Again after a crash: no error. */
  finalise(target: string, size: number): Promise<void>
}

/** Where the bytes of groups lie. A sparse file each at first; an object store with a fixed part grid can follow. */
export interface RangeBackend {
  /** Partitions that begin and end on multiples of this many bytes suit the backend best. */
  readonly boundaryQuantum: number
  /** @param name the group's id */
  open(name: string): RangeFile
}
