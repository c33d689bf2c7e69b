import { DIGEST_BYTES } from 'tus-reconcile-protocol'

/** Leaves that are kept in one piece of memory: 128 KiB, so that a file of any size costs what is known of it (guess). */
const PAGE_LEAVES = 4_096

interface Page {
  readonly leaves: Uint8Array
  /** A bit for each. */
  readonly known: Uint8Array
}

/** Digests by the number of their block: 32 bytes and a bit each. */
export class LeafTable {
  readonly #pages: (Page | undefined)[] = []

  /** A view, which changes with the table. */
  get(index: number): Uint8Array | undefined {
    const { page, at } = this.#at(index)
    if (!page || !isKnown(page, at)) return undefined
    return page.leaves.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES)
  }

  has(index: number): boolean {
    const { page, at } = this.#at(index)
    return page !== undefined && isKnown(page, at)
  }

  set(index: number, leaf: Uint8Array): void {
    const { number, page = newPage(), at } = this.#at(index)
    this.#pages[number] = page
    page.leaves.set(leaf, at * DIGEST_BYTES)
    page.known[at >> 3] = (page.known[at >> 3] ?? 0) | (1 << (at & 7))
  }

  delete(index: number): void {
    const { page, at } = this.#at(index)
    if (page) page.known[at >> 3] = (page.known[at >> 3] ?? 0) & ~(1 << (at & 7))
  }

  #at(index: number): { number: number; page: Page | undefined; at: number } {
    const number = Math.floor(index / PAGE_LEAVES)
    return { number, page: this.#pages[number], at: index % PAGE_LEAVES }
  }
}

function newPage(): Page {
  return { leaves: new Uint8Array(PAGE_LEAVES * DIGEST_BYTES), known: new Uint8Array(PAGE_LEAVES / 8) }
}

function isKnown({ known }: Page, at: number): boolean {
  return ((known[at >> 3] ?? 0) & (1 << (at & 7))) !== 0
}
