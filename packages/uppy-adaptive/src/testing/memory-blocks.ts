import type { RangeSet } from 'tus-reconcile-protocol'
import { addRanges, blockCount, blockRange, rangesOfBlocks } from 'tus-reconcile-protocol'
import { addPiece, joinPieces, leafOf, lengthOf } from './known-bytes.js'
import { MemoryCopies } from './memory-copies.js'
import { MemoryReports } from './memory-reports.js'

/** What a store holds of one block. Values are never changed in place. */
export type MemoryBlock =
  | { readonly kind: 'partial'; readonly owner: string; readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'held'; readonly leaf: string; readonly bytes: Uint8Array }
  | { readonly kind: 'verified'; readonly leaf: string; readonly bytes: Uint8Array; readonly isAttached?: true }

/** What became of a block by the bytes that came. */
export type Landed = 'verified' | 'bad' | 'held' | undefined
type ClaimOutcome = 'verified' | 'already' | 'bad' | 'conflict' | 'waiting'

/** All of it that a crash leaves. */
interface Record {
  readonly blocks: ReadonlyMap<number, MemoryBlock>
  readonly claims: ReadonlyMap<number, readonly string[]>
  readonly bad: ReadonlySet<number>
  readonly reports: MemoryReports
  readonly elsewhere: RangeSet
}

/** Different claims for one missing block that are kept (docs/protocol.md, claim). */
const MAX_CLAIMS = 4

/** The blocks of one group in one store: who writes them, what was claimed of them, which are verified (P37 to P40, P52 to P55, P130 to P134). */
export class MemoryBlocks {
  readonly sizeBytes: number
  #blocks = new Map<number, MemoryBlock>()
  #claims = new Map<number, readonly string[]>()
  #bad = new Set<number>()
  readonly #copies = new MemoryCopies()
  #reports = new MemoryReports()
  #elsewhere: RangeSet = []
  #verifiedHere: RangeSet | undefined
  #verifiedAnywhere: RangeSet | undefined

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
  }

  get(index: number): MemoryBlock | undefined {
    return this.#blocks.get(index)
  }

  entries(): Iterable<[number, MemoryBlock]> {
    return this.#blocks
  }

  /** Of copies kept aside, ever. */
  get keptAside(): number {
    return this.#copies.kept
  }

  get reports(): Pick<MemoryReports, 'byStore' | 'indices' | 'leafOf'> {
    return this.#reports
  }

  get verifiedHere(): RangeSet {
    this.#verifiedHere ??= rangesOfBlocks(this.#indices('verified'), this.sizeBytes)
    return this.#verifiedHere
  }

  get verifiedAnywhere(): RangeSet {
    this.#verifiedAnywhere ??= addRanges(
      this.#elsewhere,
      ...this.verifiedHere,
      ...rangesOfBlocks(this.#reports.indices, this.sizeBytes),
    )
    return this.#verifiedAnywhere
  }

  /** Whole blocks, verified or not, copies included. */
  get stored(): RangeSet {
    return rangesOfBlocks([...this.#indices('held', 'verified'), ...this.#copies.whole], this.sizeBytes)
  }

  get bad(): RangeSet {
    return rangesOfBlocks(
      [...this.#bad].filter((index) => this.#reports.leafOf(index) === undefined),
      this.sizeBytes,
    )
  }

  /** Leaves verified here, by block. */
  verifiedLeaves(): Map<number, string> {
    const leaves = new Map<number, string>()
    for (const [index, block] of this.#blocks) if (block.kind === 'verified') leaves.set(index, block.leaf)
    return leaves
  }

  /** Verified by a copy: no session has brought it. */
  isAttached(index: number): boolean {
    const block = this.#blocks.get(index)
    return block?.kind === 'verified' && block.isAttached === true
  }

  isVerified(index: number): boolean {
    return this.#blocks.get(index)?.kind === 'verified'
  }

  /** Bytes of a session from `position` in the block on. The first at a free block's first byte owns it (P37). */
  take(o: { session: string; index: number; position: number; bytes: Uint8Array }): Landed {
    const { session, index, position, bytes } = o
    const block = this.#blocks.get(index) ?? (position === 0 ? this.#begin(index, session) : undefined)
    if (block?.kind === 'partial' && block.owner === session) {
      if (lengthOf(block.pieces) !== position) throw new Error(`block ${index} has a hole before byte ${position}`)
      const pieces = addPiece(block.pieces, bytes)
      this.#put(index, { ...block, pieces })
      if (lengthOf(pieces) < this.#lengthOf(index)) return undefined
      const landed = this.#complete(index, joinPieces(pieces))
      return landed === 'bad' ? (this.bringIn(index) ?? landed) : landed
    }
    if (!block || block.kind === 'verified') return undefined
    return this.#copies.take(o, this.#lengthOf(index)) ? this.bringIn(index) : undefined
  }

  claim(index: number, leaf: string): ClaimOutcome {
    const block = this.#blocks.get(index)
    if (block?.kind === 'verified') return block.leaf === leaf ? 'already' : 'conflict'
    if (block?.kind === 'held' && block.leaf === leaf) {
      this.#put(index, { ...block, kind: 'verified' })
      return 'verified'
    }
    const known = this.#claims.get(index) ?? []
    if (!known.includes(leaf)) this.#claims.set(index, [...known, leaf].slice(-MAX_CLAIMS))
    if (block?.kind === 'held') this.#free(index)
    if (this.bringIn(index) === 'verified') return 'verified'
    return block?.kind === 'held' ? 'bad' : 'waiting'
  }

  /** Of the copies kept aside, the right one becomes the block (P131, P132); the useless ones go. */
  bringIn(index: number): 'verified' | 'held' | undefined {
    for (const { session, leaf, pieces } of this.#copies.of(index)) {
      const standing = this.#standingOf(index, leaf)
      if (standing === 'waiting') continue
      this.#copies.drop(index, session)
      const outcome = standing === 'wanted' ? this.#complete(index, joinPieces(pieces)) : undefined
      if (outcome === 'verified' || outcome === 'held') return outcome
    }
    return undefined
  }

  /** A session has ended: what it began and did not finish is free (P40). Returns what copies have become verified. */
  release(session: string): number[] {
    this.#copies.dropSession(session)
    const begun = [...this.#blocks].filter(([, block]) => block.kind === 'partial' && block.owner === session)
    for (const [index] of begun) this.#delete(index)
    return begun.map(([index]) => index).filter((index) => this.bringIn(index) === 'verified')
  }

  /** A peer's bytes, whose digest is the one that it reported, or `attached` ones, copied from another offset. */
  replace(index: number, bytes: Uint8Array, from: 'peer' | 'attached'): void {
    this.#bad.delete(index)
    const how = from === 'attached' ? { isAttached: true as const } : {}
    this.#put(index, { kind: 'verified', leaf: leafOf(bytes), bytes, ...how })
    this.#claims.delete(index)
    this.#copies.dropAll(index)
  }

  /** Of blocks that are not whole, copies what is verified at another offset (P133, P134). Returns which. */
  attach(wanted: readonly { readonly index: number; readonly leaf: string }[]): number[] {
    const whole = new Set(this.#indices('held', 'verified'))
    const missing = wanted.filter(({ index }) => !whole.has(index))
    if (missing.length === 0) return []
    const known = new Map<string, Uint8Array>()
    for (const block of this.#blocks.values()) if (block.kind === 'verified') known.set(block.leaf, block.bytes)
    return missing.flatMap(({ index, leaf }) => {
      const bytes = known.get(leaf)
      if (!bytes || this.isVerified(index)) return []
      this.replace(index, bytes, 'attached')
      return [index]
    })
  }

  report(store: string, index: number, leaf: string): void {
    this.#reports.add(store, index, leaf)
    this.#forgetRanges()
  }

  withdraw(store: string, index: number): void {
    this.#reports.withdraw(store, index)
    this.#forgetRanges()
  }

  set elsewhere(ranges: RangeSet) {
    this.#elsewhere = ranges
    this.#forgetRanges()
  }

  /** Copies of verified blocks are of no use. */
  dropVerifiedCopies(): void {
    for (const index of [...this.#copies.indices]) if (this.isVerified(index)) this.#copies.dropAll(index)
  }

  clear(): void {
    const reports = new MemoryReports()
    this.restore({ blocks: new Map(), claims: new Map(), bad: new Set(), reports, elsewhere: [] })
  }

  record(): Record {
    const reports = this.#reports.copy()
    const elsewhere = this.#elsewhere
    return { blocks: new Map(this.#blocks), claims: new Map(this.#claims), bad: new Set(this.#bad), reports, elsewhere }
  }

  /** After a crash: what is aside is gone. */
  restore(record: Record): void {
    this.#blocks = new Map(record.blocks)
    this.#claims = new Map(record.claims)
    this.#bad = new Set(record.bad)
    this.#copies.clear()
    this.#reports = record.reports.copy()
    this.#elsewhere = record.elsewhere
    this.#forgetRanges()
  }

  #begin(index: number, owner: string): MemoryBlock {
    const block: MemoryBlock = { kind: 'partial', owner, pieces: [] }
    this.#put(index, block)
    return block
  }

  /** Every byte of the block is here. */
  #complete(index: number, bytes: Uint8Array): 'verified' | 'bad' | 'held' {
    const leaf = leafOf(bytes)
    const claims = this.#claims.get(index)
    if (claims && !claims.includes(leaf)) {
      this.#free(index)
      return 'bad'
    }
    this.#bad.delete(index)
    this.#put(index, { kind: claims ? 'verified' : 'held', leaf, bytes })
    if (claims) this.#claims.delete(index)
    return claims ? 'verified' : 'held'
  }

  #standingOf(index: number, leaf: string): 'wanted' | 'waiting' | 'useless' {
    const block = this.#blocks.get(index)
    if (block?.kind === 'verified') return 'useless'
    const claims = this.#claims.get(index)
    if (claims) return claims.includes(leaf) ? 'wanted' : 'useless'
    if (!block) return 'wanted'
    return block.kind === 'held' && block.leaf === leaf ? 'useless' : 'waiting'
  }

  #put(index: number, block: MemoryBlock): void {
    // P39: a verified block is never written again
    if (this.isVerified(index)) throw new Error(`block ${index} is verified and written again`)
    this.#blocks.set(index, block)
    if (block.kind === 'verified') this.#forgetRanges()
  }

  #free(index: number): void {
    this.#delete(index)
    this.#bad.add(index)
  }

  #delete(index: number): void {
    if (this.isVerified(index)) throw new Error(`block ${index} is verified and freed`)
    this.#blocks.delete(index)
  }

  #forgetRanges(): void {
    this.#verifiedHere = undefined
    this.#verifiedAnywhere = undefined
  }

  #indices(...kinds: MemoryBlock['kind'][]): number[] {
    return [...this.#blocks].filter(([, { kind }]) => kinds.includes(kind)).map(([index]) => index)
  }

  #lengthOf(index: number): number {
    if (index >= blockCount(this.sizeBytes)) throw new Error(`there is no block ${index}`)
    const { start, end } = blockRange(index, this.sizeBytes)
    return end - start
  }
}
