import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { BLOCK_SIZE, blockRange, encodeDigest, merkleRoot } from 'tus-reconcile-protocol'
import type { Group } from '../groups/group.js'
import type { RangeStore } from '../store/range-store.js'
import type { CheckReport } from './check-report.js'

const digestOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** Reads the whole blocks of an unfinished upload that lie within `length` bytes. Returns those with other bytes. */
export async function differingBlocks(group: Group, length: number, report: CheckReport): Promise<number[]> {
  const differing: number[] = []
  for (const index of group.blocks.wholeBlocks()) {
    const { start, end } = blockRange(index, group.knownSize)
    const block = group.blocks.get(index)
    if (end > length || !block || block.kind === 'partial') continue
    const bytes = await group.file.read(start, end - start)
    report.blocks++
    report.bytes += bytes.length
    if (encodeDigest(digestOf(bytes)) !== block.leaf) differing.push(index)
  }
  await group.file.idle()
  return differing
}

/** Reads a committed file. Whether its bytes have the root that was committed. */
export async function hasCommittedRoot(store: RangeStore, group: Group, report: CheckReport): Promise<boolean> {
  const { commit } = group
  if (!commit) return true
  const digests: Buffer[] = []
  let size = 0
  const pieces = createReadStream(join(store.directory, group.fileId), { highWaterMark: BLOCK_SIZE })
  for await (const bytes of inBlocks(pieces)) {
    digests.push(digestOf(bytes))
    size += bytes.length
  }
  report.files++
  report.bytes += size
  if (size !== commit.size) return false
  return encodeDigest(await merkleRoot(digests, size, digestOf)) === commit.root
}

/** A file stream may give less than it was asked for. */
async function* inBlocks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0)
  for await (const piece of pieces) {
    held = held.length === 0 ? piece : Buffer.concat([held, piece])
    for (; held.length >= BLOCK_SIZE; held = held.subarray(BLOCK_SIZE)) yield held.subarray(0, BLOCK_SIZE)
  }
  if (held.length > 0) yield held
}
