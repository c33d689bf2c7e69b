import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockRange, encodeDigest, wholeBlocks } from 'tus-reconcile-protocol'
import type { Digester, Source } from '../ports.js'
import { LeafTable } from './leaf-table.js'

/** Read at once, just ahead of the sender, so that the page cache serves the second read (TOOLCHAIN). */
const READ_BYTES = 16 * BLOCK_SIZE

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

  /** The digests of the blocks from `first` to `last - 1`; empty where one is not known. */
  between(first: number, last: number): Uint8Array[] {
    return Array.from({ length: last - first }, (_, i) => this.#leaves.get(first + i) ?? new Uint8Array())
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
      while (stop < last && !this.#leaves.has(stop)) stop += 1
      index = await this.#hash(index, stop, signal)
    }
  }

  /** Returns how far it has come: to the end, unless stopped by the signal or because what was read may be forgotten. */
  async #hash(first: number, last: number, signal: AbortSignal): Promise<number> {
    const forgotten = this.#forgotten
    let index = first
    for await (const bytes of this.#pieces(first, last)) {
      const digests: Promise<Uint8Array>[] = []
      for (let at = 0; at < bytes.length; at += BLOCK_SIZE)
        digests.push(this.#digester.digest(bytes.subarray(at, Math.min(at + BLOCK_SIZE, bytes.length))))
      const hashed = await Promise.all(digests)
      // something was forgotten while this was being read: it may be among these, so they are read again
      if (this.#forgotten !== forgotten) return index
      for (const leaf of hashed) this.#leaves.set(index++, leaf)
      if (signal.aborted) return index
    }
    return index
  }

  /** Block by block from what can be read on, so that hashing them leaves the page its turns. */
  #pieces(first: number, last: number): AsyncIterable<Uint8Array> {
    const { sizeBytes } = this.#source
    const range = { start: blockRange(first, sizeBytes).start, end: blockRange(last - 1, sizeBytes).end }
    return this.#source.pieces?.(range, BLOCK_SIZE) ?? this.#reads(range)
  }

  async *#reads(range: ByteRange): AsyncGenerator<Uint8Array> {
    for (let start = range.start; start < range.end; start += READ_BYTES)
      yield await this.#source.read({ start, end: Math.min(start + READ_BYTES, range.end) })
  }
}
