import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { BlockFile } from '../groups/block-file.js'
import type { RangeBackend, RangeFile, StoredBytes } from './range-backend.js'
import { SparseFile } from './sparse-file.js'

const DATA_SUFFIX = '.data'
const SIDE_SUFFIX = '.side'

/** One sparse file per group: every partition at its own offset, so that commit is a rename. */
export class SparseFileBackend implements RangeBackend {
  readonly boundaryQuantum: number = BLOCK_SIZE
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  open(name: string): RangeFile {
    return new SparseFile(join(this.#directory, `${name}${DATA_SUFFIX}`))
  }

  openSide(name: string): BlockFile {
    return new SparseFile(join(this.#directory, `${name}${SIDE_SUFFIX}`))
  }

  async stored(): Promise<ReadonlyMap<string, StoredBytes>> {
    await mkdir(this.#directory, { recursive: true })
    const files = (await readdir(this.#directory)).filter((name) => name.endsWith(DATA_SUFFIX))
    const found = new Map<string, StoredBytes>()
    for (const name of files) {
      const { size, mtimeMs } = await stat(join(this.#directory, name))
      found.set(name.slice(0, -DATA_SUFFIX.length), { length: size, changedAt: mtimeMs })
    }
    return found
  }

  async sweepSides(): Promise<void> {
    await mkdir(this.#directory, { recursive: true })
    const sides = (await readdir(this.#directory)).filter((name) => name.endsWith(SIDE_SUFFIX))
    await Promise.all(sides.map((name) => rm(join(this.#directory, name), { force: true })))
  }

  async freeBytes(): Promise<number> {
    await mkdir(this.#directory, { recursive: true })
    const { bavail, bsize } = await statfs(this.#directory)
    return bavail * bsize
  }
}
