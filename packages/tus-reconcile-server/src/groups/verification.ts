import { createHash } from 'node:crypto'
import type { RangeSet } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount, coversRange, rangesOfBlocks, subtractRanges } from 'tus-reconcile-protocol'
import type { ClaimOutcome } from './block-table.js'
import { bringIn, bringInAll, dropVerifiedCopies, replaceBlock } from './bring-in.js'
import type { Group } from './group.js'
import { refuseEnded } from './refuse-ended.js'
import type { Session, SessionEnd } from './session.js'

/** Blocks whose standing has changed. `bad`: their bytes had another digest; `gone`: nobody has them any more. */
interface Changed {
  readonly verified?: readonly number[]
  readonly bad?: readonly number[]
  readonly gone?: readonly number[]
}

/** Of these nobody was told yet. */
interface Fresh {
  readonly verified: Set<number>
  readonly bad: Set<number>
  readonly gone: Set<number>
  timer: ReturnType<typeof setTimeout> | undefined
}
const freshOf = new WeakMap<Group, Fresh>()

/** While bytes stream in, coverage is looked over this often (guess: far below a round trip). */
const SETTLE_MS = 15

export interface LeafAt {
  readonly index: number
  readonly leaf: string
}

interface ClaimResult {
  readonly verified: number[]
  readonly bad: number[]
  readonly conflict: number[]
  /** What is still to come, or to come again. */
  readonly open: LeafAt[]
  /** Of these nothing is kept: too many digests are claimed ahead of their bytes. */
  readonly noRoom: LeafAt[]
  readonly superseded: readonly string[]
}

/** A client says which leaves its bytes have. What is stored is compared, whatever is claimed ahead of its bytes. */
export async function claimBlocks(group: Group, leaves: readonly LeafAt[]): Promise<ClaimResult> {
  const result = await group.queue.run(async () => {
    refuseEnded(group)
    const outcome: Omit<ClaimResult, 'superseded'> = { verified: [], bad: [], conflict: [], open: [], noRoom: [] }
    const fresh: number[] = []
    for (const { index, leaf } of leaves) {
      const standing = await claimOne(group, { index, leaf })
      if (standing === 'waiting' || standing === 'bad') outcome.open.push({ index, leaf })
      if (standing === 'no-room') outcome.noRoom.push({ index, leaf })
      if (standing === 'waiting' || standing === 'no-room') continue
      if (standing === 'verified') fresh.push(index)
      outcome[standing === 'already' ? 'verified' : standing].push(index)
    }
    const superseded = await sweep(group)
    tell(group, { verified: fresh, bad: outcome.bad })
    return { ...outcome, superseded }
  })
  await group.save()
  return result
}

/** In the queue: a claim may say that a copy kept aside is the right one. `isKept`: whatever the room. */
async function claimOne(group: Group, { index, leaf }: LeafAt, isKept: boolean = false): Promise<ClaimOutcome> {
  const standing = group.blocks.claim(index, leaf, isKept)
  if (standing !== 'waiting' && standing !== 'bad') return standing
  return (await bringIn(group, index)) === 'verified' ? 'verified' : standing
}

/** At the home: a peer has verified blocks. Its leaves are as good as claims. Settles when recorded. */
export async function reportBlocks(group: Group, store: string, leaves: readonly LeafAt[]): Promise<void> {
  await group.queue.run(async () => {
    if (group.hasEnded) return
    group.touchedAt = group.ports.now()
    const here: number[] = []
    const elsewhere: number[] = []
    const bad: number[] = []
    for (const { index, leaf } of leaves) {
      const known = group.blocks.isVerified(index) || group.blocks.reports.leafOf(index) !== undefined
      group.blocks.reports.add(store, index, leaf)
      // the peer holds its bytes: it is not made up
      const standing = await claimOne(group, { index, leaf }, true)
      if (standing === 'verified') here.push(index)
      else if (standing === 'bad') bad.push(index)
      if (standing !== 'verified' && !known) elsewhere.push(index)
    }
    await sweep(group)
    tell(group, { verified: here, bad })
    group.notify({ kind: 'verified', group, ranges: rangesIn(group, elsewhere), where: 'elsewhere' })
  })
  await group.save()
}

/**
 * At the home: these stores have not got what they reported, or cannot be reached. What relied on that hears that the
 * blocks are to come again, and no session that brings them counts as redundant.
 */
export async function withdrawReports(group: Group, stores: readonly string[], ranges: RangeSet): Promise<void> {
  const lost = await group.queue.run(() => {
    if (group.hasEnded) return []
    const withdrawn = new Set<number>()
    for (const store of stores) {
      for (const index of [...group.blocks.reports.by(store).keys()]) {
        if (!coversRange(ranges, { start: index * BLOCK_SIZE, end: index * BLOCK_SIZE + 1 })) continue
        group.blocks.reports.delete(store, index)
        withdrawn.add(index)
      }
    }
    return [...withdrawn].filter((index) => !group.blocks.isVerified(index) && !group.blocks.reports.leafOf(index))
  })
  tell(group, { gone: lost })
}

/** At a peer: the home says what is verified somewhere. */
export async function noteElsewhere(group: Group, verified: RangeSet): Promise<void> {
  await group.queue.run(async () => {
    if (group.hasEnded) return
    group.touchedAt = group.ports.now()
    const news = subtractRanges(verified, group.blocks.verifiedAnywhere(group.knownSize))
    group.blocks.elsewhere = verified
    await sweep(group)
    if (news.length > 0) group.notify({ kind: 'verified', group, ranges: news, where: 'elsewhere' })
  })
  await group.save()
}

/** Writes a block that a peer verified and whose digest was checked on arrival. Returns whether it was still wanted. */
export async function writePulled(group: Group, block: LeafAt & { readonly bytes: Uint8Array }): Promise<boolean> {
  return group.queue.run(async () => {
    if (!(await replaceBlock(group, block, 'peer'))) return false
    if (group.commit) group.pulledAtCommit += block.bytes.length
    else group.pulledEarly += block.bytes.length
    await sweep(group)
    void group
      .save()
      .then(() => group.notify({ kind: 'verified', group, blocks: [block.index], where: 'pulled' }))
      .catch(() => {})
    return true
  })
}

/** Looks over the coverage shortly; what changed is told together. */
export function settleSoon(group: Group, changed: Changed): void {
  const fresh = freshOf.get(group) ?? { verified: new Set(), bad: new Set(), gone: new Set(), timer: undefined }
  freshOf.set(group, fresh)
  for (const index of changed.verified ?? []) fresh.verified.add(index)
  for (const index of changed.bad ?? []) fresh.bad.add(index)
  for (const index of changed.gone ?? []) fresh.gone.add(index)
  fresh.timer ??= setTimeout(() => void settle(group, fresh), SETTLE_MS)
}

async function settle(group: Group, fresh: Fresh): Promise<void> {
  fresh.timer = undefined
  await group.queue.run(async () => {
    const changed = { verified: [...fresh.verified], bad: [...fresh.bad], gone: [...fresh.gone] }
    for (const told of [fresh.verified, fresh.bad, fresh.gone]) told.clear()
    if (group.hasEnded) return
    await sweep(group)
    tell(group, changed)
  })
}

/** Nothing is told before it is recorded. */
function tell(group: Group, { verified = [], bad = [], gone = [] }: Changed): void {
  if (verified.length + bad.length + gone.length === 0) return
  void group
    .save()
    .then(() => {
      if (verified.length > 0) group.notify({ kind: 'verified', group, blocks: verified, where: 'here' })
      if (bad.length > 0) group.notify({ kind: 'bad', group, blocks: bad, why: 'digest' })
      if (gone.length > 0) group.notify({ kind: 'bad', group, blocks: gone, why: 'gone' })
    })
    .catch(() => {})
}

/**
 * In the queue: completes the sessions that brought all of a range that is verified, ends those that have nothing left
 * to bring. Returns the superseded ones.
 */
export async function sweep(group: Group): Promise<readonly string[]> {
  await dropVerifiedCopies(group)
  const live = [...group.sessions.values()].filter((session) => group.isLive(session))
  if (live.length === 0) return []
  const verified = group.blocks.verifiedAnywhere(group.knownSize)
  const superseded: string[] = []
  for (const session of live) {
    const end = session.end ?? group.size
    if (end === null || !coversRange(verified, { start: session.start, end })) continue
    if (group.isFull(session)) {
      superseded.push(...group.statuses.markCompleted(session.id, checksumOf(group, { start: session.start, end })))
      group.notify({ kind: 'sessionCompleted', group, session })
    } else superseded.push(...group.statuses.terminateRedundantUploads(session.partition))
  }
  for (const id of superseded) {
    const session = group.sessions.get(id)
    if (session) await endSession(group, session, 'superseded')
  }
  return superseded
}

/** In the queue: ends a session for good. Its running write is stopped, its last byte awaited, its whole blocks stay. */
export async function endSession(group: Group, session: Session, how: SessionEnd): Promise<void> {
  if (session.ended || group.statuses.get(session.id)?.status === 'completed') return
  session.ended = how
  group.statuses.end(session.id, how === 'superseded' ? 'superseded' : 'failed')
  session.running?.stop(how)
  await session.pending
  session.admitted = session.offset
  group.sides.release(session.id)
  const verified = await bringInAll(group, group.blocks.release(session.id))
  if (verified.length > 0) settleSoon(group, { verified })
  void group
    .save()
    .catch(() => {})
    .then(() => group.notify({ kind: 'sessionEnded', group, session }))
}

function checksumOf(group: Group, range: { start: number; end: number }): string {
  const leaves = group.blocks.verifiedLeaves()
  const hash = createHash('sha256')
  for (const index of blocksOf([range])) hash.update(leaves.get(index) ?? group.blocks.reports.leafOf(index) ?? '')
  return hash.digest('base64url')
}

/** Every block that the ranges touch. */
function blocksOf(ranges: RangeSet): number[] {
  return ranges.flatMap(({ start, end }) => {
    const first = Math.floor(start / BLOCK_SIZE)
    return Array.from({ length: blockCount(end) - first }, (_, i) => first + i)
  })
}

/** How many bytes the blocks have together. */
export function bytesOf(group: Group, blocks: Iterable<number>): number {
  return rangesIn(group, blocks).reduce((sum, { start, end }) => sum + end - start, 0)
}

export function rangesIn(group: Group, blocks: Iterable<number>): RangeSet {
  return rangesOfBlocks(blocks, group.knownSize)
}
