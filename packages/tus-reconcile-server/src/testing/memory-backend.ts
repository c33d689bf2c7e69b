import { access, writeFile } from 'node:fs/promises'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { BlockFile } from '../groups/block-file.js'
import type { FinaliseOptions, RangeBackend, RangeFile, StoredBytes } from '../store/range-backend.js'

/** Bytes that end with the process, to run groups without a disk. Only a finalised file is written to one. */
export class MemoryBackend implements RangeBackend {
  readonly boundaryQuantum: number = BLOCK_SIZE
  readonly #bytes = new Map<string, Buffer>()
  readonly #sides = new Map<string, Buffer>()

  open(name: string): RangeFile {
    return new MemoryFile(this.#bytes, name)
  }
  openSide(name: string): BlockFile {
    return new MemoryFile(this.#sides, name)
  }
  async stored(): Promise<ReadonlyMap<string, StoredBytes>> {
    const now = Date.now()
    return new Map(Array.from(this.#bytes, ([name, { length }]) => [name, { length, changedAt: now }]))
  }
  async sweepSides(): Promise<void> {
    this.#sides.clear()
  }
  async freeBytes(): Promise<number> {
    return Number.POSITIVE_INFINITY
  }
}

class MemoryFile implements RangeFile {
  readonly #all: Map<string, Buffer>
  readonly #name: string
  constructor(all: Map<string, Buffer>, name: string) {
    this.#all = all
    this.#name = name
  }

  async write(position: number, ...pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(pieces)
    const old = this.#all.get(this.#name) ?? Buffer.alloc(0)
    const whole = Buffer.concat([old, Buffer.alloc(Math.max(0, position + bytes.length - old.length))])
    whole.set(bytes, position)
    this.#all.set(this.#name, whole)
  }
  async read(position: number, length: number): Promise<Uint8Array> {
    return Buffer.from(this.#all.get(this.#name)?.subarray(position, position + length) ?? [])
  }
  async sync(): Promise<void> {}
  async idle(): Promise<void> {}
  async remove(): Promise<void> {
    this.#all.delete(this.#name)
  }

  async finalise(target: string, size: number, { isRepeat = false }: FinaliseOptions = {}): Promise<void> {
    const bytes = this.#all.get(this.#name)
    const isThere = await access(target).then(
      () => true,
      () => false,
    )
    if (isThere && isRepeat && !bytes) return
    if (!isThere && !bytes && size > 0) throw Object.assign(new Error('the bytes are gone'), { code: 'ENOENT' })
    const whole = Buffer.alloc(size)
    bytes?.copy(whole)
    await writeFile(target, whole, { flag: 'wx' })
    this.#all.delete(this.#name)
  }
}
