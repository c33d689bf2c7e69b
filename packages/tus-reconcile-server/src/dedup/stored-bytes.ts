import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { Groups } from '../groups/groups.js'
import type { RangeStore } from '../store/range-store.js'

/** Bytes of a file of this store: of an open group's as far as they are verified, else of the finished upload. */
export async function readStored(
  groups: Groups,
  store: RangeStore,
  at: { readonly fileId: string; readonly position: number; readonly length: number },
): Promise<Uint8Array> {
  const group = groups.byFileId(at.fileId)
  if (!group || group.hasEnded) return store.readPart(at.fileId, at.position, at.length)
  if (!group.blocks.isVerified(at.position / BLOCK_SIZE)) return new Uint8Array()
  return group.file.read(at.position, at.length)
}
