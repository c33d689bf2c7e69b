import type { RangeFile } from '../store/range-backend.js'
import { SparseFileBackend } from '../store/sparse-file-backend.js'

/** A disk on which files have at most `mostBytes`, which a test may raise. */
export class FullDisk extends SparseFileBackend {
  mostBytes: number
  /** What it says is free; undefined: the truth. */
  saysFree: number | undefined
  readonly #code: string

  constructor(directory: string, mostBytes: number, code: string = 'ENOSPC') {
    super(directory)
    this.mostBytes = mostBytes
    this.#code = code
  }

  override async freeBytes(): Promise<number> {
    return this.saysFree ?? super.freeBytes()
  }

  override open(name: string): RangeFile {
    const file = super.open(name)
    const write = file.write.bind(file)
    file.write = async (position, ...pieces) => {
      const end = pieces.reduce((sum, { length }) => sum + length, position)
      if (end > this.mostBytes) throw Object.assign(new Error('full'), { code: this.#code })
      await write(position, ...pieces)
    }
    return file
  }
}
