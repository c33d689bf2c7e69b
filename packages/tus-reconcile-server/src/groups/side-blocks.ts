import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { BlockFile } from './block-file.js'
import type { Budget } from './budgets.js'

/** Bytes of one block, of one session that does not own it. `leaf` is known once they are whole. */
export interface SideBlock {
  readonly session: string
  /** Its place in the side file, in blocks. */
  readonly slot: number
  leaf: string | undefined
}

/**
 * Copies of blocks that somebody else writes, in a file beside the group's: whichever copy verifies first becomes the
 * block. They end with the process. Changed only in the group's queue.
 */
export class SideBlocks {
  readonly file: BlockFile
  readonly #budget: Budget
  readonly #blocks = new Map<number, SideBlock[]>()
  readonly #freeSlots: number[] = []
  #slots = 0

  constructor(file: BlockFile, budget: Budget) {
    this.file = file
    this.#budget = budget
  }

  /** The session's bytes of this block have a place from its first byte on, or none: then they are discarded. */
  acquire(index: number, session: string, atBlockStart: boolean): SideBlock | undefined {
    const known = this.of(index, session)
    if (known) return known.leaf === undefined ? known : undefined
    if (!atBlockStart || !this.#hasRoom()) return undefined
    const block: SideBlock = { session, slot: this.#freeSlots.pop() ?? this.#slots++, leaf: undefined }
    this.#budget.used++
    this.#blocks.set(index, [...this.copies(index), block])
    return block
  }

  of(index: number, session: string): SideBlock | undefined {
    return this.copies(index).find((block) => block.session === session)
  }

  copies(index: number): readonly SideBlock[] {
    return this.#blocks.get(index) ?? []
  }

  /** The copies of a block that have all its bytes, the oldest first. */
  whole(index: number): readonly (SideBlock & { readonly leaf: string })[] {
    return this.copies(index).filter(hasLeaf)
  }

  /** Blocks of which a whole copy is kept. */
  wholeBlocks(): number[] {
    return this.blocks().filter((index) => this.whole(index).length > 0)
  }

  /** Blocks of which anything is kept. */
  blocks(): readonly number[] {
    return [...this.#blocks.keys()]
  }

  /** Forgets the copies of a block, or one session's, into which nobody may be writing now. */
  drop(index: number, session?: string): void {
    const copies = this.copies(index)
    const kept = session === undefined ? [] : copies.filter((block) => block.session !== session)
    for (const block of copies) if (!kept.includes(block)) this.#freeSlots.push(block.slot)
    this.#budget.used -= copies.length - kept.length
    if (kept.length > 0) this.#blocks.set(index, kept)
    else this.#blocks.delete(index)
  }

  /** The session has ended. */
  release(session: string): void {
    for (const index of this.blocks()) this.drop(index, session)
  }

  /** Nobody writes for now: what keeps nothing takes no room. */
  async idle(): Promise<void> {
    if (this.#blocks.size === 0) return this.remove()
    return this.file.idle()
  }

  async remove(): Promise<void> {
    for (const index of this.blocks()) this.drop(index)
    if (this.#slots === 0) return
    this.#slots = 0
    this.#freeSlots.length = 0
    await this.file.remove()
  }

  #hasRoom(): boolean {
    return this.#budget.hasRoom(this.#slots - this.#freeSlots.length)
  }
}

export const slotPosition = (block: SideBlock): number => block.slot * BLOCK_SIZE

function hasLeaf(block: SideBlock): block is SideBlock & { leaf: string } {
  return block.leaf !== undefined
}
