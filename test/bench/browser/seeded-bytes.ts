import { createCipheriv } from 'node:crypto'

/** Bytes that look random and are the same for the same seed: a cipher's key stream. */
export class SeededBytes {
  readonly #key: Buffer

  /** @param seed whole number, from 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#key = Buffer.alloc(16)
    this.#key.writeUInt32BE(seed)
  }

  take(size: number): Buffer {
    return createCipheriv('aes-128-ctr', this.#key, Buffer.alloc(16)).update(Buffer.alloc(size))
  }
}
