import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Group } from '../groups/group.js'
import type { RangeStore } from '../store/range-store.js'

/** Removes the file that a commit has made before it failed: the group's own bytes are gone then, and it has its size. */
export async function unmakeFile(store: RangeStore, group: Group): Promise<void> {
  const { fileId } = group
  const { length, hasInfo } = await store.traceOf(fileId)
  if (length !== group.size || (await store.backend.stored()).has(group.id)) return
  if (hasInfo) return store.remove(fileId)
  await rm(join(store.directory, fileId), { force: true })
  await store.onRemoved(fileId)
}
