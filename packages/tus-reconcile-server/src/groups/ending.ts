import type { RangeSet } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, missingRanges, subtractRanges, toRangeSet } from 'tus-reconcile-protocol'
import type { CommitRecord } from '../records/partition-index.js'
import { rootHere } from './file-root.js'
import type { Group } from './group.js'
import { Refusal } from './refusal.js'
import { agreeOnSize } from './sessions.js'
import { endSession } from './verification.js'

/** How far a commit is from being possible. */
export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'pulling'; readonly missingBytes: number }
  | { readonly kind: 'incomplete'; readonly missing: RangeSet; readonly bad: RangeSet }

/** In the queue: the commit is recorded as asked for, so that a restart goes on with it. */
export async function askCommit(group: Group, size: number, root: string): Promise<void> {
  await agreeOnSize(group, size)
  group.commit ??= { size, root, hook: 'pending', refusal: null }
  // where the file may have been made the root was checked: it holds
  if (group.state === 'open' && !group.commitBegun) group.commit = { ...group.commit, size, root }
}

/** What is missing here, and whether the stores that have it can be reached. */
export function readiness(group: Group, isReachable: (store: string) => boolean): Readiness {
  const size = group.knownSize
  const here = group.blocks.verifiedHere(size)
  const missing = missingRanges(here, size)
  if (missing.length === 0) return { kind: 'ready' }
  const elsewhere: number[] = []
  for (const store of group.blocks.reports.stores()) {
    if (isReachable(store)) elsewhere.push(...group.blocks.reports.by(store).keys())
  }
  const pullable = elsewhere.map((index) => ({ start: index * BLOCK_SIZE, end: (index + 1) * BLOCK_SIZE }))
  const nowhere = subtractRanges(missing, toRangeSet(pullable))
  if (nowhere.length > 0) return { kind: 'incomplete', missing: nowhere, bad: group.blocks.bad(size) }
  return { kind: 'pulling', missingBytes: missing.reduce((sum, range) => sum + range.end - range.start, 0) }
}

/** @throws Refusal `root-mismatch` when the verified blocks are not the file that the client means. */
export async function checkRoot(group: Group, root: string): Promise<void> {
  if ((await rootHere(group)) === root) return
  throw new Refusal('root-mismatch', 'the verified blocks have another root: the source has changed')
}

/**
 * In the queue: no new bytes from now on, and every write in flight has returned. `finalise` makes the ordinary file;
 * if it fails the group is open again, though recorded as committing where its bytes may have become the file. Nothing
 * happens to a group that has ended meanwhile.
 */
export async function commitGroup(group: Group, finalise: (isRepeat: boolean) => Promise<void>): Promise<boolean> {
  if (group.hasEnded) return false
  group.state = 'committing'
  for (const session of group.sessions.values()) session.running?.stop('committing')
  await Promise.all(Array.from(group.sessions.values(), (session) => session.pending))
  try {
    await group.save()
    const isRepeat = group.commitBegun
    await finalise(isRepeat)
  } catch (error) {
    group.state = 'open'
    void group.save().catch(() => {})
    throw error
  }
  group.state = 'committed'
  group.ending = 'made'
  for (const session of group.sessions.values()) session.running?.stop('committed')
  await clearUp(group)
  return true
}

/** Another store is the group's home from now on. What this one knew of its URL was of the former. */
export async function moveHome(group: Group, home: string): Promise<boolean> {
  const moved = await group.queue.run(() => {
    if (group.hasEnded || group.home === home || !group.homeMove) return false
    group.homeMove = { from: group.homeMove.from ?? group.home }
    group.home = home
    group.url = null
    // the former home's word; what it alone holds may never come back
    group.blocks.elsewhere = []
    return true
  })
  if (moved) await group.save()
  return moved
}

export async function recordHook(
  group: Group,
  hook: CommitRecord['hook'],
  refusal: CommitRecord['refusal'],
): Promise<void> {
  if (group.commit) group.commit = { ...group.commit, hook, refusal }
  await group.save()
}

/**
 * Ends the group for good: its sessions are stopped, its bytes deleted, a tombstone stays. Returns whether it had not
 * ended before. @throws what it could not be recorded for: whoever asks again, or the clean-up, does the rest
 */
export async function endGroup(
  group: Group,
  state: 'terminated' | 'expired' | 'committed',
  url: string | null = null,
): Promise<boolean> {
  const ended = await group.queue.run(async () => {
    if (group.hasEnded) return false
    if (group.commitBegun) await group.ports.unmakeFile?.(group)
    group.state = state
    group.ending = 'dropped'
    if (url) group.url = url
    for (const session of group.sessions.values()) {
      if (state === 'committed') session.running?.stop('committed')
      else await endSession(group, session, state)
      await session.pending
    }
    return true
  })
  await settleEnd(group)
  return ended
}

/** Records, clears up and tells the end of a group, unless that is done. */
export async function settleEnd(group: Group): Promise<void> {
  const isNew = await group.queue.run(async () => {
    if (!group.ending) return false
    await clearUp(group)
    return true
  })
  const { state } = group
  if (isNew && state !== 'open' && state !== 'committing') group.notify({ kind: 'groupEnded', group, state })
}

/** In the queue: the end is recorded before anything goes. */
async function clearUp(group: Group): Promise<void> {
  for (const store of group.participants) group.toTell.add(store)
  await group.save()
  group.forgetDetails()
  if (group.ending === 'dropped') await group.file.remove()
  await group.sides.remove()
  group.ending = undefined
}
