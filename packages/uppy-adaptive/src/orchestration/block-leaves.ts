import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount, blockRange, encodeDigest, wholeBlocks } from 'tus-reconcile-protocol'
import { LeafTable } from './leaf-table.js'
import type { Digester, Source } from './ports.js'

/** Blocks read at once: 4 MiB just ahead of the sender, so that the page cache serves the second read (TOOLCHAIN). */
const READ_BLOCKS = 16

/** SHA-256 of the file's blocks, each computed once and kept: 32 bytes a block. */
export class BlockLeaves {
  readonly #source: Source
  readonly #digester: Digester
  readonly #leaves = new LeafTable()
  #reading: Promise<void> = Promise.resolve()
  #forgotten = 0

  constructor(source: Source, digester: Digester) {
    this.#source = source
    this.#digester = digester
  }

  /** The digests of the whole blocks from `range.start` on that are known without reading, as they travel. */
  known(range: ByteRange): string[] {
    const { first, last } = wholeBlocks(range, this.#source.sizeBytes)
    const known: string[] = []
    for (let index = first; index < last; index++) {
      const leaf = this.#leaves.get(index)
      if (!leaf) break
      known.push(encodeDigest(leaf))
    }
    return known
  }

  /** Reads and hashes what is not known of the range's whole blocks. One reader at a time. */
  compute(range: ByteRange, signal: AbortSignal): Promise<void> {
    const result = this.#reading.then(() => this.#fill(range, signal))
    this.#reading = result.catch(() => {})
    return result
  }

  /** These blocks were not what the source holds now: hash them again. */
  forget(range: ByteRange): void {
    const { first, last } = wholeBlocks(range, this.#source.sizeBytes)
    for (let index = first; index < last; index++) this.#leaves.delete(index)
    this.#forgotten += 1
  }

  /** Every block's digest, in order, reading what is missing. */
  async all(signal: AbortSignal): Promise<Uint8Array[]> {
    const { sizeBytes } = this.#source
    await this.compute({ start: 0, end: sizeBytes }, signal)
    return Array.from({ length: blockCount(sizeBytes) }, (_, index) => this.#leaves.get(index) ?? new Uint8Array())
  }

  async #fill(range: ByteRange, signal: AbortSignal): Promise<void> {
    const { first, last } = wholeBlocks(range, this.#source.sizeBytes)
    let index = first
    while (index < last && !signal.aborted) {
      if (this.#leaves.has(index)) {
        index += 1
        continue
      }
      let stop = index
      while (stop < last && stop - index < READ_BLOCKS && !this.#leaves.has(stop)) stop += 1
      await this.#hash(index, stop)
      index = stop
    }
  }

  async #hash(first: number, last: number): Promise<void> {
    const { sizeBytes } = this.#source
    const start = blockRange(first, sizeBytes).start
    const forgotten = this.#forgotten
    const bytes = await this.#source.read({ start, end: blockRange(last - 1, sizeBytes).end })
    const digests = Array.from({ length: last - first }, (_, i) =>
      this.#digester.digest(bytes.subarray(i * BLOCK_SIZE, Math.min((i + 1) * BLOCK_SIZE, bytes.length))),
    )
    const hashed = await Promise.all(digests)
    // something was forgotten while this was being read: it may be among these, so they are read again
    if (this.#forgotten !== forgotten) return this.#hash(first, last)
    for (const [i, leaf] of hashed.entries()) this.#leaves.set(first + i, leaf)
  }
}
