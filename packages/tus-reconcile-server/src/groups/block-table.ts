import type { RangeSet } from 'tus-reconcile-protocol'
import { addRanges, blockCount, rangesOfBlocks } from 'tus-reconcile-protocol'
import type { GroupChange, GroupRecord } from '../records/partition-index.js'
import { type BlockState, BlockStates } from './block-states.js'
import type { ClientBudget } from './budgets.js'
import { ClaimsAhead } from './claims-ahead.js'
import { PeerReports } from './peer-reports.js'
import { TrackedMap } from './tracked-map.js'

/** `no-room`: nothing has changed, and nothing of it is kept. */
export type ClaimOutcome = 'verified' | 'already' | 'bad' | 'conflict' | 'waiting' | 'no-room'

/** The owner of a block that the store itself is writing: from a peer, or from a copy. */
export const STORE = 'store'

/** Who wrote a block that no session brought: a peer has it, or it was copied from where it was held already. */
export type Origin = 'peer' | 'attached'

/** What this store holds of each block, what was claimed of it, and what is verified elsewhere. Leaves are base64url. */
export class BlockTable {
  readonly #blocks = new BlockStates()
  readonly claims: ClaimsAhead
  readonly #bad = new TrackedMap<number, true>()
  /** At the home. */
  readonly reports: PeerReports = new PeerReports()
  /** Blocks that are not whole any more, of which the record may still say so. */
  readonly #unrecordedLoss = new Set<number>()
  /** Not null once it has changed since it was recorded. */
  #newElsewhere: RangeSet | null = null
  #elsewhere: RangeSet = []

  constructor(claimBudget: ClientBudget) {
    this.claims = new ClaimsAhead(claimBudget)
  }

  /** At a peer: what the home says is verified somewhere. */
  get elsewhere(): RangeSet {
    return this.#elsewhere
  }

  set elsewhere(ranges: RangeSet) {
    this.#elsewhere = this.#newElsewhere = ranges
  }

  get(index: number): BlockState | undefined {
    return this.#blocks.get(index)
  }

  /** The first whose bytes reach a free block owns it. Returns whether the bytes of `owner` are to be written. */
  acquire(index: number, owner: string, atBlockStart: boolean): boolean {
    const block = this.#blocks.get(index)
    if (block) return block.kind === 'partial' && block.owner === owner
    if (!atBlockStart) return false
    this.#blocks.set(index, { kind: 'partial', owner })
    return true
  }

  /** Every byte of the block is on disk and hashes to `leaf`. */
  complete(index: number, leaf: string): 'verified' | 'bad' | 'held' {
    const claims = this.claims.get(index)
    if (claims && !claims.includes(leaf)) {
      this.#free(index)
      return 'bad'
    }
    this.#bad.delete(index)
    if (!claims) {
      this.#blocks.set(index, { kind: 'held', leaf })
      return 'held'
    }
    this.#verify(index, leaf)
    return 'verified'
  }

  /** What is stored is compared whatever the room; `isKept`: so is what has to wait. */
  claim(index: number, leaf: string, isKept: boolean = false): ClaimOutcome {
    const block = this.#blocks.get(index)
    if (block?.kind === 'verified') return block.leaf === leaf ? 'already' : 'conflict'
    if (block?.kind === 'held' && block.leaf === leaf) {
      this.#verify(index, leaf)
      return 'verified'
    }
    if (!isKept && !this.claims.hasRoom(index, leaf)) return 'no-room'
    this.claims.add(index, leaf)
    if (block?.kind !== 'held') return 'waiting'
    this.#free(index)
    return 'bad'
  }

  /** Bytes with this leaf were written here. */
  replaced(index: number, leaf: string, from: Origin): void {
    this.#bad.delete(index)
    this.#verify(index, leaf, from)
  }

  /** Takes an unverified block from whoever writes it. Returns that session, whose last write must be awaited. */
  takeOver(index: number, owner: string): string | undefined {
    const block = this.#blocks.get(index)
    if (block?.kind === 'held') this.#unrecordedLoss.add(index)
    this.#blocks.set(index, { kind: 'partial', owner })
    return block?.kind === 'partial' ? block.owner : undefined
  }

  /** Frees the blocks that `owner` began and did not finish. Returns them. */
  release(owner: string): number[] {
    const freed = this.#blocks.begunBy(owner)
    for (const index of freed) this.#blocks.delete(index)
    return freed
  }

  /** Whether another copy with this leaf should become the block now, or may have to later. */
  standingOf(index: number, leaf: string): 'wanted' | 'waiting' | 'useless' {
    const block = this.#blocks.get(index)
    if (block?.kind === 'verified') return 'useless'
    const claims = this.claims.get(index)
    if (claims) return claims.includes(leaf) ? 'wanted' : 'useless'
    if (!block) return 'wanted'
    return block.kind === 'held' && block.leaf === leaf ? 'useless' : 'waiting'
  }

  /** Whether a leaf is what was claimed of the block, as far as anything was. */
  mayBe(index: number, leaf: string): boolean {
    const verified = this.verifiedLeaf(index)
    if (verified !== undefined) return verified === leaf
    return this.claims.get(index)?.includes(leaf) ?? true
  }

  isVerified(index: number): boolean {
    return this.#blocks.get(index)?.kind === 'verified'
  }

  /** Every byte of the block is here, verified or not. */
  isWhole(index: number): boolean {
    const kind = this.#blocks.get(index)?.kind
    return kind === 'held' || kind === 'verified'
  }

  /** Verified by a copy: no session has brought it. */
  isAttached(index: number): boolean {
    const block = this.#blocks.get(index)
    return block?.kind === 'verified' && block.isAttached === true
  }

  verifiedLeaf(index: number): string | undefined {
    const block = this.#blocks.get(index)
    return block?.kind === 'verified' ? block.leaf : undefined
  }

  /** A block of this leaf that is verified here. */
  placeOf(leaf: string): number | undefined {
    return this.#blocks.placeOf(leaf)
  }

  verifiedLeaves(): Map<number, string> {
    return this.#blocks.verifiedLeaves()
  }

  /** Verified in this store. */
  verifiedHere(sizeBytes: number): RangeSet {
    return this.#blocks.verifiedRanges(sizeBytes)
  }

  /** Verified in any store, as far as is known here. */
  verifiedAnywhere(sizeBytes: number): RangeSet {
    return addRanges(this.elsewhere, ...this.verifiedHere(sizeBytes), ...this.reports.ranges(sizeBytes))
  }

  /** The bytes of these blocks are gone, or others: they are to come again. */
  lose(indices: Iterable<number>): void {
    for (const index of indices) this.#free(index)
  }

  /** Whether the record may still say that the block is whole: after a crash its digest would be believed. */
  isLossUnrecorded(index: number): boolean {
    return this.#unrecordedLoss.has(index)
  }

  /** Changes that were taken since then are recorded. */
  lossRecorded(indices: Iterable<number>): void {
    for (const index of indices) this.#unrecordedLoss.delete(index)
  }

  /** Blocks that somebody has begun, and who. */
  owners(): [index: number, owner: string][] {
    return this.#blocks.owners()
  }

  /** Blocks of which every byte is here, verified or not. */
  wholeBlocks(): number[] {
    return this.#blocks.whole()
  }

  bad(sizeBytes: number): RangeSet {
    const count = blockCount(sizeBytes)
    return rangesOfBlocks(
      [...this.#bad.keys()].filter((index) => index < count && this.reports.leafOf(index) === undefined),
      sizeBytes,
    )
  }

  /** What has changed since it was taken last. */
  takeChanges(): Omit<GroupChange, 'header' | 'sessions'> {
    const elsewhere = this.#newElsewhere
    this.#newElsewhere = null
    return {
      blocks: this.#blocks.takeChanges(),
      claims: this.claims.takeChanges(),
      bad: this.#bad.takeChanges(),
      reports: this.reports.takeChanges(),
      elsewhere,
    }
  }

  restore(record: Omit<GroupRecord, 'header' | 'sessions'>): void {
    for (const [index, block] of record.blocks) this.#blocks.restore(index, block)
    for (const [index, leaves] of record.claims) this.claims.restore(index, leaves)
    for (const [index, isBad] of record.bad) this.#bad.restore(index, isBad)
    for (const [store, index, leaf] of record.reports) this.reports.restore(store, index, leaf)
    this.#elsewhere = record.elsewhere
    // what the store itself was writing ended with its process; a session goes on
    this.release(STORE)
  }

  /** Nothing of it is left, nor to be recorded. */
  clear(): void {
    for (const part of [this.#blocks, this.claims, this.#bad]) part.forget()
    this.reports.clear()
    this.#unrecordedLoss.clear()
    this.#elsewhere = []
    this.#newElsewhere = null
  }

  #verify(index: number, leaf: string, from?: Origin): void {
    this.#blocks.set(index, { kind: 'verified', leaf, ...(from === 'attached' ? { isAttached: true } : {}) })
    this.claims.delete(index)
  }

  #free(index: number): void {
    if (this.#blocks.get(index)?.kind !== 'partial') this.#unrecordedLoss.add(index)
    this.#blocks.delete(index)
    this.#bad.set(index, true)
  }
}
