import type { CommitAnswer, CommitRequest, RangeSet } from 'tus-reconcile-protocol'
import {
  blockCount,
  encodeDigest,
  merkleRoot,
  missingRanges,
  rangesOfBlocks,
  subtractRanges,
  totalBytes,
} from 'tus-reconcile-protocol'
import { sha256Of } from './known-bytes.js'
import type { MemoryGroup } from './memory-group.js'
import { Refusal } from './memory-refusal.js'
import type { MemoryServer } from './memory-server.js'

/** An answer is held for pulls that end within it. */
const HOLD_MS = 500

/** Makes the file at its home when every block is verified there and the root is right (P58 to P63). @throws Refusal */
export async function commit(server: MemoryServer, group: MemoryGroup, request: CommitRequest): Promise<CommitAnswer> {
  const made = repeated(group, request)
  if (made) return made
  group.refuseEnded()
  if (request.size !== group.sizeBytes) throw new Refusal(400, 'contradiction')
  group.commitRoot = request.root
  const { run } = server
  const lacking = await findLacking(server, group)
  refuseDead(server, run)
  const madeMeanwhile = repeated(group, request)
  if (madeMeanwhile) return madeMeanwhile
  group.refuseEnded()
  if (lacking) return lacking
  if (group.state === 'committing') throw new Refusal(423, 'committing', { retryAfterMs: 1_000 })
  const blocks = Array.from({ length: blockCount(group.sizeBytes) }, (_, index) => verifiedBytes(group, index))
  await checkRoot(blocks, group.sizeBytes, request.root)
  refuseDead(server, run)
  group.refuseEnded()
  await pauseForMaking(server, group, run)
  server.make(group, blocks)
  return answerOf(group)
}

/** What keeps the file from being made; undefined when nothing does. */
async function findLacking(server: MemoryServer, group: MemoryGroup): Promise<CommitAnswer | undefined> {
  if (findNowhere(server, group).length > 0) await server.peers.refresh(group)
  const nowhere = findNowhere(server, group)
  if (nowhere.length > 0) {
    const { bad } = group.blocks
    server.peers.withdraw(group, nowhere)
    return { state: 'incomplete', missing: nowhere, bad }
  }
  const missing = () => missingRanges(group.blocks.verifiedHere, group.sizeBytes)
  if (missing().length === 0) return undefined
  await server.peers.untilPulled(group, HOLD_MS)
  if (missing().length === 0 || group.hasEnded) return undefined
  return { state: 'pulling', missingBytes: totalBytes(missing()) }
}

function findNowhere(server: MemoryServer, group: MemoryGroup): RangeSet {
  const missing = missingRanges(group.blocks.verifiedHere, group.sizeBytes)
  const reachable = [...group.blocks.reports.byStore].filter(([store]) => server.peers.lines.isReachable(store))
  const pullable = reachable.flatMap(([, leaves]) => [...leaves.keys()])
  return subtractRanges(missing, rangesOfBlocks(pullable, group.sizeBytes))
}

function verifiedBytes(group: MemoryGroup, index: number): Uint8Array {
  const block = group.blocks.get(index)
  if (block?.kind !== 'verified') throw new Error(`block ${index} is committed and not verified`)
  return block.bytes
}

async function checkRoot(blocks: readonly Uint8Array[], sizeBytes: number, root: string): Promise<void> {
  const made = encodeDigest(await merkleRoot(blocks.map(sha256Of), sizeBytes, sha256Of))
  if (made !== root) throw new Refusal(460, 'root-mismatch')
}

/** Bodies are refused meanwhile; a crash leaves the group open. */
async function pauseForMaking(server: MemoryServer, group: MemoryGroup, run: number): Promise<void> {
  if (server.commitMs === 0) return
  group.beginCommit()
  await new Promise<void>((resolve) => server.clock.after(server.commitMs, resolve))
  refuseDead(server, run)
  group.refuseEnded()
}

/** Of a file that is made already. */
function repeated(group: MemoryGroup, { size, root }: CommitRequest): CommitAnswer | undefined {
  if (group.state !== 'committed') return undefined
  // a mirror that answers for a home that is away has been told no root
  const isOther = group.commitRoot !== undefined && root !== group.commitRoot
  if (size !== group.sizeBytes || isOther) throw new Refusal(400, 'contradiction')
  return answerOf(group)
}

function answerOf({ url, pulledAtCommit, pulledEarly }: MemoryGroup): CommitAnswer {
  return { state: 'committed', url: url ?? '', pulledAtCommit, pulledEarly }
}

/** The process that was asked has ended: nobody hears an answer of it. */
function refuseDead(server: MemoryServer, run: number): void {
  if (server.run !== run) throw new Refusal(0, 'reset')
}
