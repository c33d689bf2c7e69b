import { hash } from 'node:crypto'
import {
  blockCount,
  decodeDigest,
  encodeDigest,
  merkleTop,
  rootOfSubtrees,
  SUBTREE_BLOCKS,
} from 'tus-reconcile-protocol'
import type { Group } from './group.js'
import type { Notice } from './notice.js'

/** The top of a subtree, and the digests of the blocks of which it was made. */
interface Subtree {
  readonly leaves: readonly string[]
  readonly top: Uint8Array
}

/** Subtrees of groups, by their number from the file's beginning. */
const known = new WeakMap<Group, Map<number, Subtree>>()

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer')

/** Computes the tops of whole subtrees as their blocks are verified: a commit then has little left to hash. */
export async function prepareRoot(notice: Notice): Promise<void> {
  if (notice.kind === 'groupEnded') known.delete(notice.group)
  if (notice.kind !== 'verified' || notice.where === 'elsewhere') return
  const { group, blocks } = notice
  for (const number of new Set(blocks.map((index) => Math.floor(index / SUBTREE_BLOCKS)))) {
    const first = number * SUBTREE_BLOCKS
    const leaves = leavesOf(group, first, first + SUBTREE_BLOCKS)
    if (leaves) await subtreeTop(group, number, leaves)
  }
}

/** The Merkle root of the file, whose size is known; `undefined` while a block of it is not verified here. */
export async function rootHere(group: Group): Promise<string | undefined> {
  const count = blockCount(group.knownSize)
  const tops: Uint8Array[] = []
  for (let first = 0; first < count; first += SUBTREE_BLOCKS) {
    const leaves = leavesOf(group, first, Math.min(count, first + SUBTREE_BLOCKS))
    if (!leaves) return undefined
    tops.push(await subtreeTop(group, first / SUBTREE_BLOCKS, leaves))
  }
  return encodeDigest(await rootOfSubtrees(tops, group.knownSize, sha256))
}

/** Of the blocks `[first, end)`; `undefined` unless all are verified here. */
function leavesOf(group: Group, first: number, end: number): string[] | undefined {
  const leaves: string[] = []
  for (let index = first; index < end; index++) {
    const block = group.blocks.get(index)
    if (block?.kind !== 'verified') return undefined
    leaves.push(block.leaf)
  }
  return leaves
}

async function subtreeTop(group: Group, number: number, leaves: readonly string[]): Promise<Uint8Array> {
  const subtrees = known.get(group) ?? new Map<number, Subtree>()
  if (!group.hasEnded) known.set(group, subtrees)
  const before = subtrees.get(number)
  // a verified block may be lost, and come again with other bytes
  if (before?.leaves.length === leaves.length && before.leaves.every((leaf, i) => leaf === leaves[i])) return before.top
  const top = await merkleTop(leaves.map(decodeDigest), sha256)
  subtrees.set(number, { leaves, top })
  return top
}
