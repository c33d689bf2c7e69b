import { createHash } from 'node:crypto'
import { BLOCK_SIZE, blockRange, encodeDigest } from 'tus-reconcile-protocol'
import { bringIn } from './bring-in.js'
import type { ByteRun } from './byte-run.js'
import type { Group } from './group.js'
import type { BlockHash, RunningWrite, Session } from './session.js'
import { type SideBlock, slotPosition } from './side-blocks.js'
import { settleSoon } from './verification.js'

/** `more`: go on. `full`: the planned end is reached and bytes were left over. `beyond`: the file's own end was. */
type Accepted = 'more' | 'full' | 'beyond' | 'stopped'

/** Bytes of one block within a piece of a body. */
interface Segment {
  readonly index: number
  readonly position: number
  readonly from: number
  readonly to: number
  /** `own`: at the block's place in the file. A copy: aside. Without: they are thrown away. */
  readonly place: 'own' | SideBlock | undefined
}

/** A segment, and the hash of its block up to its end, where all of the block before it was hashed too. */
interface HashedSegment extends Segment {
  readonly hash: BlockHash | undefined
}

/** A block of which a session has brought the last byte. */
interface WholeBlock {
  readonly index: number
  readonly outcome: 'verified' | 'bad' | 'held' | 'aside'
}

/**
 * Takes the next bytes of a session's body: writes those of blocks that the session owns at their place in the file,
 * those of blocks that another owns aside while there is room, discards the others, and counts them all.
 */
export async function acceptBytes(
  group: Group,
  target: { readonly session: Session; readonly running: RunningWrite },
  bytes: ByteRun,
): Promise<Accepted> {
  const { session, running } = target
  let failure: { cause: unknown } | undefined
  await group.refuseWhenFull()
  await restoreHash(group, session)
  const admission = await group.queue.run(() => {
    if (running.stopped || group.state !== 'open') return undefined
    const admitted = admit(group, session, bytes.length)
    session.pending = writeSegments(group, admitted.segments, bytes).catch((cause: unknown) => {
      failure = { cause }
    })
    return admitted
  })
  if (!admission) return 'stopped'
  // while the disk writes
  const segments = hashSegments(session, admission.segments, bytes)
  await session.pending
  await group.queue.run(async () => {
    if (failure) {
      session.admitted = session.offset
      session.hash = undefined
    } else if (!session.ended && !group.hasEnded) await advance(group, session, { taken: admission.taken, segments })
  })
  if (failure) throw failure.cause
  if (running.stopped) return 'stopped'
  if (admission.taken === bytes.length) return 'more'
  return session.end === null || session.end === group.size ? 'beyond' : 'full'
}

function admit(group: Group, session: Session, length: number): { taken: number; segments: readonly Segment[] } {
  const begin = session.start + session.admitted
  const taken = Math.max(0, Math.min(length, group.limitOf(session) - begin))
  const segments: Segment[] = []
  for (let from = 0; from < taken; ) {
    const position = begin + from
    const index = Math.floor(position / BLOCK_SIZE)
    const to = Math.min(taken, from + (index + 1) * BLOCK_SIZE - position)
    segments.push({ index, position, from, to, place: placeFor(group, session, { index, position }) })
    from = to
  }
  session.admitted += taken
  return { taken, segments }
}

function placeFor(group: Group, session: Session, at: { index: number; position: number }): Segment['place'] {
  const isBlockStart = at.position === at.index * BLOCK_SIZE
  if (group.blocks.acquire(at.index, session.id, isBlockStart)) return 'own'
  if (group.blocks.isVerified(at.index)) return undefined
  return group.sides.acquire(at.index, session.id, isBlockStart)
}

async function writeSegments(group: Group, segments: readonly Segment[], bytes: ByteRun): Promise<void> {
  const recording = group.recordLoss(segments.flatMap(({ place, index }) => (place === 'own' ? [index] : [])))
  if (recording) await recording
  for (let i = 0; i < segments.length; i++) {
    const first = segments[i]
    if (!first?.place) continue
    let to = first.to
    if (first.place === 'own') {
      while (segments[i + 1]?.place === 'own') to = segments[++i]?.to ?? to
      await group.file.write(first.position, ...bytes.slice(first.from, to).pieces)
    } else {
      const position = slotPosition(first.place) + (first.position % BLOCK_SIZE)
      await group.sides.file.write(position, ...bytes.slice(first.from, to).pieces)
    }
  }
}

function hashSegments(session: Session, segments: readonly Segment[], bytes: ByteRun): HashedSegment[] {
  return segments.map((segment) => {
    const { index, position, from, to } = segment
    if (!segment.place) return { ...segment, hash: undefined }
    const isBlockStart = position === index * BLOCK_SIZE
    const before = isBlockStart ? { index, sha: createHash('sha256'), at: position } : session.hash
    if (before?.index !== index || before.at !== position) return { ...segment, hash: undefined }
    for (const piece of bytes.slice(from, to).pieces) before.sha.update(piece)
    session.hash = { index, sha: before.sha, at: position + to - from }
    return { ...segment, hash: session.hash }
  })
}

async function advance(
  group: Group,
  session: Session,
  written: { readonly taken: number; readonly segments: readonly HashedSegment[] },
): Promise<void> {
  session.offset += written.taken
  session.admitted = session.offset
  group.touchedAt = group.ports.now()
  const whole = written.segments.flatMap((segment) =>
    segment.hash && isStillTheirs(group, session, segment) ? completeBlock(group, session, segment.hash) : [],
  )
  group.notify({ kind: 'bytes', group, session })
  for (const block of whole) await settleBlock(group, block)
}

/** What the store has taken over meanwhile, or dropped, is no longer this session's. */
function isStillTheirs(group: Group, session: Session, { index, place }: Segment): boolean {
  if (place !== 'own') return place !== undefined && group.sides.of(index, session.id) === place
  return isOwner(group, session, index)
}

function isOwner(group: Group, session: Session, index: number): boolean {
  const block = group.blocks.get(index)
  return block?.kind === 'partial' && block.owner === session.id
}

/** When `hash` stands at its block's end, the block is whole, or a copy of it. */
function completeBlock(group: Group, session: Session, hash: BlockHash): WholeBlock[] {
  const { index } = hash
  if (hash.at !== blockRange(index, group.knownSize).end) return []
  if (session.hash === hash) session.hash = undefined
  const leaf = encodeDigest(hash.sha.digest())
  if (isOwner(group, session, index)) return [{ index, outcome: group.blocks.complete(index, leaf) }]
  const copy = group.sides.of(index, session.id)
  if (!copy) return []
  copy.leaf = leaf
  return [{ index, outcome: 'aside' }]
}

/** In the queue: one more copy of a block is whole: it may be the right one, or make room for the right one. */
async function settleBlock(group: Group, { index, outcome }: WholeBlock): Promise<void> {
  const became = await bringIn(group, index)
  if (became === 'verified' || outcome === 'verified') settleSoon(group, { verified: [index] })
  else if (outcome === 'bad') settleSoon(group, { bad: [index] })
}

/** After a restart the block in the middle of which a session stands is hashed again from the disk. */
async function restoreHash(group: Group, session: Session): Promise<void> {
  const at = session.start + session.offset
  const index = Math.floor(at / BLOCK_SIZE)
  if (at % BLOCK_SIZE === 0 || !isOwner(group, session, index)) return
  if (session.hash?.index === index && session.hash.at === at) return
  const sha = createHash('sha256')
  sha.update(await group.file.read(index * BLOCK_SIZE, at - index * BLOCK_SIZE))
  session.hash = { index, sha, at }
}

/** In the queue: the file's size has become known, so a session that stands at its end may have finished a block. */
export async function declareSize(group: Group, size: number): Promise<void> {
  dropLongBlocks(group, size)
  group.size = size
  for (const session of group.sessions.values()) {
    if (session.start + session.offset !== size || size % BLOCK_SIZE === 0) continue
    await restoreHash(group, session)
    const whole = session.hash ? completeBlock(group, session, session.hash) : []
    for (const block of whole) await settleBlock(group, block)
  }
}

/** What was a whole block is none where the file turns out to end before its end. */
function dropLongBlocks(group: Group, size: number): void {
  const long = group.blocks.wholeBlocks().filter((index) => (index + 1) * BLOCK_SIZE > size)
  if (long.length === 0) return
  group.blocks.lose(long)
  settleSoon(group, { gone: long.filter((index) => index * BLOCK_SIZE < size) })
}
