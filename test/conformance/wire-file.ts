import { createHash, randomBytes, randomFillSync } from 'node:crypto'

/** Bytes per block. */
export const B = 262_144

export const newId = (): string => randomBytes(16).toString('base64url')
export const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

/** SHA-256 in hex, which a failed test can print. */
export const hashOf = (bytes: Uint8Array): string => sha256(bytes).toString('hex')

/** The top of the tree: the left half is the largest power of two below the number of leaves. */
function topOf(digests: readonly Uint8Array[]): Buffer {
  const [only] = digests
  if (!only) return Buffer.alloc(32)
  if (digests.length === 1) return sha256(Buffer.of(0), only)
  let half = 1
  while (half * 2 < digests.length) half *= 2
  return sha256(Buffer.of(1), topOf(digests.slice(0, half)), topOf(digests.slice(half)))
}

/** A source, and what a client knows of it. */
export class WireFile {
  readonly bytes: Buffer<ArrayBuffer>
  readonly group = newId()
  readonly client = newId()

  constructor(source: number | Buffer<ArrayBuffer>) {
    this.bytes = typeof source === 'number' ? randomFillSync(Buffer.alloc(source)) : source
  }

  get size(): number {
    return this.bytes.length
  }

  digests(start = 0, end = this.size): Buffer[] {
    const digests: Buffer[] = []
    for (let at = start; at < end; at += B) digests.push(sha256(this.bytes.subarray(at, Math.min(at + B, end))))
    return digests
  }

  leaves(start = 0, end = this.size): string[] {
    return this.digests(start, end).map((digest) => digest.toString('base64url'))
  }

  get root(): string {
    const facts = Buffer.alloc(12)
    facts.writeBigUInt64BE(BigInt(this.size), 0)
    facts.writeUInt32BE(B, 8)
    return sha256(Buffer.of(2), facts, topOf(this.digests())).toString('base64url')
  }
}
