import { BLOCK_SIZE, blockRange } from 'tus-reconcile-protocol'
import type { ContentPlace } from '../records/content-index.js'
import { readVerified, replaceBlock } from './bring-in.js'
import type { Group } from './group.js'
import { GroupQueue } from './group-queue.js'
import { Refusal } from './refusal.js'
import { type LeafAt, sweep } from './verification.js'

/** How long one operation may copy (guess: below any client's patience). A repeat goes on with what is left. */
const ATTACH_MS = 1000

type Places = ReadonlyMap<string, readonly ContentPlace[]>

/** For whom blocks are copied. */
export interface Attaching {
  /** Other files are looked at within it alone; null looks in the group only. */
  readonly scope: string | null
  /** So many bytes count as if they were sent. @throws Refusal `too-many`: nothing more is copied */
  readonly count: (bytes: number) => void
  /** They could not be copied. */
  readonly uncount: (bytes: number) => void
}

/** Copies for one operation at a time: the others wait, and lose their own time by it. */
const turns = new WeakMap<Group, GroupQueue>()

/**
 * Copies into the group what it or its scope holds already of those blocks, each checked on its way: nobody has to
 * send it. What is beyond the limits, or the time, is left to be sent. Settles when it is recorded. Returns the blocks
 * that became verified.
 */
export function attachKnown(group: Group, wanted: readonly LeafAt[], by: Attaching): Promise<readonly number[]> {
  const turn = turns.get(group) ?? new GroupQueue()
  turns.set(group, turn)
  const end = performance.now() + ATTACH_MS
  return turn.run(() => (performance.now() > end ? [] : attach(group, { wanted, end, ...by })))
}

async function attach(
  group: Group,
  by: Attaching & { readonly wanted: readonly LeafAt[]; readonly end: number },
): Promise<readonly number[]> {
  // bytes that are here wait for what is claimed of them
  const missing = by.wanted.filter(({ index }) => !group.blocks.isWhole(index))
  const places = await placesOf(group, missing, by.scope)
  const attached: number[] = []
  try {
    for (const block of missing) {
      if (performance.now() > by.end || group.state !== 'open') break
      const bytes = await readKnown(group, block, places)
      const outcome = bytes && (await group.queue.run(() => copy(group, { ...block, bytes }, by)))
      if (outcome === 'no-room') break
      if (outcome === 'copied') attached.push(block.index)
    }
  } finally {
    // also where the next could not be copied: nobody asks for these again
    if (attached.length > 0) await tellAttached(group, attached)
  }
  return attached
}

async function tellAttached(group: Group, attached: readonly number[]): Promise<void> {
  await group.queue.run(() => sweep(group))
  await group.save()
  group.notify({ kind: 'verified', group, blocks: attached, where: 'here' })
  group.notify({ kind: 'reused', group, blocks: attached })
}

/** In the queue. */
async function copy(
  group: Group,
  block: LeafAt & { readonly bytes: Uint8Array },
  { count, uncount }: Attaching,
): Promise<'copied' | 'useless' | 'no-room'> {
  if (group.hasEnded || group.blocks.isVerified(block.index)) return 'useless'
  const { length } = block.bytes
  try {
    count(length)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'too-many') return 'no-room'
    throw error
  }
  group.copied += length
  try {
    return (await replaceBlock(group, block, 'attached')) ? 'copied' : 'useless'
  } catch (error) {
    group.copied -= length
    uncount(length)
    throw error
  }
}

async function placesOf(group: Group, missing: readonly LeafAt[], scope: string | null): Promise<Places> {
  if (scope === null) return new Map()
  const unknown = missing.filter(({ leaf }) => group.blocks.placeOf(leaf) === undefined).map(({ leaf }) => leaf)
  if (unknown.length === 0) return new Map()
  return group.ports.index.contents.find(scope, [...new Set(unknown)])
}

/** The bytes of a block from the first of its places that still has them. */
async function readKnown(group: Group, block: LeafAt, places: Places): Promise<Uint8Array | undefined> {
  const { start, end } = blockRange(block.index, group.knownSize)
  const [length, leaf] = [end - start, block.leaf]
  const own = group.blocks.placeOf(leaf)
  if (own !== undefined) return readVerified(group.file, { position: own * BLOCK_SIZE, length, leaf })
  for (const place of places.get(leaf) ?? []) {
    const { readStored = readNothing } = group.ports
    const read = (position: number) => readStored(place.fileId, position, length)
    const bytes = await readVerified({ read }, { position: place.block * BLOCK_SIZE, length, leaf })
    if (bytes) return bytes
  }
  return undefined
}

async function readNothing(): Promise<Uint8Array> {
  return new Uint8Array()
}
