/** A queue of bytes that is filled by chunks and emptied by counts; nothing is copied. */
export class ByteQueue {
  #chunks: Buffer[] = []
  #head = 0
  #length = 0

  /** Bytes queued. */
  get length(): number {
    return this.#length
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** Takes exactly `bytes` bytes off the front, as the pieces they lie in. At most `length` may be asked for. */
  take(bytes: number): Buffer[] {
    const taken: Buffer[] = []
    let leftBytes = Math.min(bytes, this.#length)
    this.#length -= leftBytes
    while (leftBytes > 0) {
      const chunk = this.#chunks[this.#head] ?? Buffer.alloc(0)
      taken.push(chunk.subarray(0, leftBytes))
      if (chunk.length <= leftBytes) this.#head += 1
      else this.#chunks[this.#head] = chunk.subarray(leftBytes)
      leftBytes -= Math.min(chunk.length, leftBytes)
    }
    this.#compact()
    return taken
  }

  clear(): void {
    this.#chunks = []
    this.#head = 0
    this.#length = 0
  }

  /** Drops what was taken: now and then, so that it costs constant time per chunk. */
  #compact(): void {
    if (this.#head < 64 && this.#head < this.#chunks.length) return
    this.#chunks = this.#chunks.slice(this.#head)
    this.#head = 0
  }
}
