import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { Source } from '../orchestration/ports.js'
import { leafOf } from './known-bytes.js'

/** A file in memory, every block of it another. */
export class MemorySource implements Source {
  readonly sizeBytes: number
  readonly contentType = undefined
  readonly fingerprint = 'a-file'
  readonly bytes: Uint8Array
  isClosed = false

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
    this.bytes = new Uint8Array(sizeBytes)
    for (let at = 0; at < sizeBytes; at += BLOCK_SIZE) this.bytes[at] = 1 + ((at / BLOCK_SIZE) % 255)
  }

  body(range: ByteRange): Uint8Array {
    return this.bytes.subarray(range.start, range.end)
  }

  async read(range: ByteRange): Promise<Uint8Array> {
    return this.bytes.subarray(range.start, range.end)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  /** The digest of block `index` as it travels. */
  leaf(index: number): string {
    return leafOf(this.bytes.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE))
  }
}
