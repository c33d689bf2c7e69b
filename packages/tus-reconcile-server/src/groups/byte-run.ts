/** Bytes that follow one another, in the pieces in which they came: to join them would be one more copy of each. */
export class ByteRun {
  readonly pieces: readonly Uint8Array[]
  readonly length: number

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  /** Its bytes `[from, to)`, as far as it has them. Nothing is copied. */
  slice(from: number, to: number): ByteRun {
    const kept: Uint8Array[] = []
    let start = 0
    for (const piece of this.pieces) {
      const end = start + piece.length
      if (end > from && start < to) kept.push(piece.subarray(Math.max(0, from - start), Math.min(end, to) - start))
      start = end
    }
    return new ByteRun(kept)
  }
}
