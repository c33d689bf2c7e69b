import { createHash } from 'node:crypto'
import { BLOCK_SIZE, blockRange, encodeDigest } from 'tus-reconcile-protocol'
import type { Group } from './group.js'
import type { RunningWrite, Session } from './session.js'
import { settleSoon } from './verification.js'

/** `more`: go on. `full`: the planned end is reached and bytes were left over. `beyond`: the file's own end was. */
export type Accepted = 'more' | 'full' | 'beyond' | 'stopped'

/** Bytes of one block within a piece of a body. */
interface Segment {
  readonly index: number
  readonly position: number
  readonly from: number
  readonly to: number
  readonly mine: boolean
}

/**
 * Takes the next bytes of a session's body: writes those of blocks that the session owns at their place in the file,
 * discards the others (another session's, or verified already), and counts both.
 */
export async function acceptBytes(
  group: Group,
  target: { readonly session: Session; readonly running: RunningWrite },
  bytes: Uint8Array,
): Promise<Accepted> {
  const { session, running } = target
  let failure: { cause: unknown } | undefined
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
  await session.pending
  await group.queue.run(() => {
    if (failure) session.admitted = session.offset
    else if (!session.ended && !group.hasEnded) advance(group, session, { bytes, ...admission })
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
    const mine = group.blocks.acquire(index, session.id, position === index * BLOCK_SIZE)
    segments.push({ index, position, from, to, mine })
    from = to
  }
  session.admitted += taken
  return { taken, segments }
}

async function writeSegments(group: Group, segments: readonly Segment[], bytes: Uint8Array): Promise<void> {
  for (let i = 0; i < segments.length; i++) {
    const first = segments[i]
    if (!first?.mine) continue
    let to = first.to
    while (segments[i + 1]?.mine) to = segments[++i]?.to ?? to
    await group.file.write(first.position, bytes.subarray(first.from, to))
  }
}

function advance(
  group: Group,
  session: Session,
  piece: { readonly bytes: Uint8Array; readonly taken: number; readonly segments: readonly Segment[] },
): void {
  for (const segment of piece.segments) {
    // what a pull has taken over meanwhile is no longer this session's
    const block = group.blocks.get(segment.index)
    if (!segment.mine || block?.kind !== 'partial' || block.owner !== session.id) continue
    if (segment.position === segment.index * BLOCK_SIZE) {
      session.hash = { index: segment.index, sha: createHash('sha256'), at: segment.position }
    }
    if (session.hash?.index !== segment.index || session.hash.at !== segment.position) continue
    session.hash.sha.update(piece.bytes.subarray(segment.from, segment.to))
    session.hash.at += segment.to - segment.from
    completeBlock(group, session)
  }
  session.offset += piece.taken
  session.admitted = session.offset
  group.touchedAt = group.ports.now()
  group.notify({ kind: 'bytes', group, session })
}

/** When the session's hash stands at its block's end, the block is whole. */
function completeBlock(group: Group, session: Session): void {
  const hash = session.hash
  if (!hash || hash.at !== blockRange(hash.index, group.knownSize).end) return
  session.hash = undefined
  const outcome = group.blocks.complete(hash.index, encodeDigest(hash.sha.digest()))
  if (outcome !== 'held') settleSoon(group, { [outcome]: [hash.index] })
}

/** After a restart the block in the middle of which a session stands is hashed again from the disk. */
async function restoreHash(group: Group, session: Session): Promise<void> {
  const at = session.start + session.offset
  const index = Math.floor(at / BLOCK_SIZE)
  const block = group.blocks.get(index)
  if (at % BLOCK_SIZE === 0 || block?.kind !== 'partial' || block.owner !== session.id) return
  if (session.hash?.index === index && session.hash.at === at) return
  const sha = createHash('sha256')
  sha.update(await group.file.read(index * BLOCK_SIZE, at - index * BLOCK_SIZE))
  session.hash = { index, sha, at }
}

/** In the queue: the file's size has become known, so a session that stands at its end may have finished a block. */
export async function declareSize(group: Group, size: number): Promise<void> {
  group.size = size
  for (const session of group.sessions.values()) {
    if (session.start + session.offset !== size || size % BLOCK_SIZE === 0) continue
    await restoreHash(group, session)
    completeBlock(group, session)
  }
}
