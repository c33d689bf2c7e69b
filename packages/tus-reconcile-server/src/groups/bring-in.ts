import { createHash } from 'node:crypto'
import { BLOCK_SIZE, blockRange } from 'tus-reconcile-protocol'
import type { BlockFile } from './block-file.js'
import { type Origin, STORE } from './block-table.js'
import type { Group } from './group.js'
import { slotPosition } from './side-blocks.js'

/**
 * In the queue: of the copies kept aside for a block, makes the right one the block: the one that was claimed, or
 * while nothing is claimed and nobody has the block, the first. Copies that are of no use any more are dropped.
 * Returns what the block became.
 */
export async function bringIn(group: Group, index: number): Promise<'verified' | 'held' | undefined> {
  const { sides, blocks } = group
  const { start, end } = blockRange(index, group.knownSize)
  for (const copy of sides.whole(index)) {
    const standing = blocks.standingOf(index, copy.leaf)
    if (standing === 'waiting') continue
    if (standing === 'wanted') {
      const place = { position: slotPosition(copy), length: end - start, leaf: copy.leaf }
      const bytes = await readVerified(sides.file, place)
      if (bytes) await overwrite(group, index, bytes)
      const outcome = bytes && blocks.complete(index, copy.leaf)
      sides.drop(index, copy.session)
      if (outcome === 'verified' || outcome === 'held') return outcome
    } else {
      if (!blocks.mayBe(index, copy.leaf)) group.notify({ kind: 'mismatch', group, of: 'copy' })
      sides.drop(index, copy.session)
    }
  }
  return undefined
}

/** In the queue: {@link bringIn} for many. Returns the blocks that became verified. */
export async function bringInAll(group: Group, indices: Iterable<number>): Promise<number[]> {
  const verified: number[] = []
  for (const index of indices) if ((await bringIn(group, index)) === 'verified') verified.push(index)
  return verified
}

/** In the queue: copies of blocks that are verified are dropped, after what is being written into them. */
export async function dropVerifiedCopies(group: Group): Promise<void> {
  const { sides, blocks, sessions } = group
  for (const index of sides.blocks()) {
    if (!blocks.isVerified(index)) continue
    for (const copy of sides.copies(index)) {
      await sessions.get(copy.session)?.pending
      if (copy.leaf && !blocks.mayBe(index, copy.leaf)) group.notify({ kind: 'mismatch', group, of: 'copy' })
    }
    sides.drop(index)
  }
}

/**
 * In the queue: writes a whole block that whoever writes it loses. Two writers of one block leave on the disk what
 * wrote last, so that the owner's write must have returned.
 */
export async function overwrite(group: Group, index: number, bytes: Uint8Array): Promise<void> {
  const owner = group.blocks.takeOver(index, STORE)
  if (owner !== undefined) await group.sessions.get(owner)?.pending
  try {
    await group.recordLoss([index])
    await group.file.write(index * BLOCK_SIZE, bytes)
  } catch (error) {
    group.blocks.release(STORE)
    throw error
  } finally {
    if (!group.isReceiving) await group.file.idle().catch(() => {})
  }
}

/** In the queue: makes these bytes, whose digest was checked, the verified block, unless nobody wants them any more. */
export async function replaceBlock(
  group: Group,
  block: { readonly index: number; readonly leaf: string; readonly bytes: Uint8Array },
  from: Origin,
): Promise<boolean> {
  if (group.hasEnded || group.blocks.isVerified(block.index)) return false
  await group.refuseWhenFull()
  await overwrite(group, block.index, block.bytes)
  group.blocks.replaced(block.index, block.leaf, from)
  return true
}

/** The bytes of a block that lies somewhere, if they still have its digest. */
export async function readVerified(
  file: Pick<BlockFile, 'read'>,
  block: { readonly position: number; readonly length: number; readonly leaf: string },
): Promise<Uint8Array | undefined> {
  const bytes = await file.read(block.position, block.length)
  return createHash('sha256').update(bytes).digest('base64url') === block.leaf ? bytes : undefined
}
