import { addPiece, joinPieces, leafOf, lengthOf } from './known-bytes.js'

/** A block's bytes of a session that does not own it. The leaf is known once they are whole. */
interface Copy {
  readonly session: string
  readonly pieces: readonly Uint8Array[]
  readonly leaf: string | undefined
}

/** Bytes of blocks that others own, kept aside until one of them is found to be right. A crash loses them. */
export class MemoryCopies {
  readonly #copies = new Map<number, readonly Copy[]>()
  /** Ever. */
  kept = 0

  /** Blocks that are here whole. */
  get whole(): number[] {
    return [...this.#copies].filter(([, copies]) => copies.some(({ leaf }) => leaf !== undefined)).map(([i]) => i)
  }

  /** Of all blocks that have any. */
  get indices(): Iterable<number> {
    return this.#copies.keys()
  }

  /** Whole ones of a block. */
  of(index: number): { readonly session: string; readonly leaf: string; readonly pieces: readonly Uint8Array[] }[] {
    return (this.#copies.get(index) ?? []).flatMap(({ session, leaf, pieces }) =>
      leaf === undefined ? [] : [{ session, leaf, pieces }],
    )
  }

  /** The session's next bytes of a block that is so long. Returns whether they made a copy whole. */
  take(o: { session: string; index: number; position: number; bytes: Uint8Array }, lengthBytes: number): boolean {
    const { session, index, position, bytes } = o
    const copies = this.#copies.get(index) ?? []
    const known = copies.find((copy) => copy.session === session)
    if (known ? known.leaf !== undefined : position > 0) return false
    if (!known) this.kept += 1
    const pieces = addPiece(known?.pieces ?? [], bytes)
    const leaf = lengthOf(pieces) < lengthBytes ? undefined : leafOf(joinPieces(pieces))
    this.#copies.set(index, [...copies.filter((copy) => copy !== known), { session, pieces, leaf }])
    return leaf !== undefined
  }

  drop(index: number, session: string): void {
    const kept = (this.#copies.get(index) ?? []).filter((copy) => copy.session !== session)
    if (kept.length > 0) this.#copies.set(index, kept)
    else this.#copies.delete(index)
  }

  dropAll(index: number): void {
    this.#copies.delete(index)
  }

  dropSession(session: string): void {
    for (const index of [...this.#copies.keys()]) this.drop(index, session)
  }

  clear(): void {
    this.#copies.clear()
  }
}
