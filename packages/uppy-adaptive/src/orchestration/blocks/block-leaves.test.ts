import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockCount, encodeDigest } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import type { Digester, Source } from '../ports.js'
import { BlockLeaves } from './block-leaves.js'

const NEVER = new AbortController().signal

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest())
}

/** A file whose every block begins with its number; it remembers what was read and can be told to fail or to wait. */
class FakeSource implements Source {
  readonly contentType = undefined
  readonly fingerprint = undefined
  readonly sizeBytes: number
  readonly reads: ByteRange[] = []
  readonly bytes: Uint8Array
  reading = 0
  beforeRead: () => Promise<void> = async () => {}

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
    this.bytes = new Uint8Array(sizeBytes)
    for (let at = 0; at < sizeBytes; at += BLOCK_SIZE) this.bytes[at] = 1 + at / BLOCK_SIZE
  }

  body(range: ByteRange): Uint8Array {
    return this.bytes.subarray(range.start, range.end)
  }

  async read(range: ByteRange): Promise<Uint8Array> {
    this.reads.push(range)
    this.reading += 1
    expect(this.reading).toBe(1)
    const bytes = this.bytes.slice(range.start, range.end)
    await this.beforeRead()
    this.reading -= 1
    return bytes
  }

  async close(): Promise<void> {}

  leaf(index: number): string {
    return encodeDigest(sha256(this.bytes.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE)))
  }
}

function create(blocks: number): { source: FakeSource; leaves: BlockLeaves; hashed: number[] } {
  const source = new FakeSource(Math.round(blocks * BLOCK_SIZE))
  const hashed: number[] = []
  const digester: Digester = {
    digest: async (bytes) => {
      hashed.push((bytes[0] ?? 0) - 1)
      return sha256(bytes)
    },
  }
  return { source, leaves: new BlockLeaves(source, digester), hashed }
}

async function allOf(leaves: BlockLeaves, { sizeBytes }: Source): Promise<Uint8Array[]> {
  await leaves.compute({ start: 0, end: sizeBytes }, NEVER)
  return leaves.between(0, blockCount(sizeBytes))
}

function blocks(first: number, last: number): ByteRange {
  return { start: first * BLOCK_SIZE, end: last * BLOCK_SIZE }
}

test('each block has the digest of its own bytes, the short last one too', async () => {
  const { source, leaves } = create(3.25)
  const all = await allOf(leaves, source)
  expect(all.map(encodeDigest)).toEqual([0, 1, 2, 3].map((index) => source.leaf(index)))
})

test('each block is read and hashed once, however often and in whichever ranges it is asked for', async () => {
  const range = fc
    .tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 }))
    .map(([a, b]) => blocks(Math.min(a, b), Math.max(a, b)))
  await fc.assert(
    fc.asyncProperty(fc.array(range, { maxLength: 6 }), async (ranges) => {
      const { source, leaves, hashed } = create(20.5)
      await Promise.all(ranges.map((wanted) => leaves.compute(wanted, NEVER)))
      await allOf(leaves, source)
      expect(hashed.sort((a, b) => a - b)).toEqual(Array.from({ length: 21 }, (_, index) => index))
      expect(source.reads.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(source.sizeBytes)
    }),
    { numRuns: 15 },
  )
})

test('no more than 4 MiB are read at once', async () => {
  const { source, leaves } = create(40)
  await leaves.compute(blocks(0, 40), NEVER)
  expect(source.reads).toEqual([blocks(0, 16), blocks(16, 32), blocks(32, 40)])
})

test('only whole blocks of a range are hashed', async () => {
  const { leaves, hashed } = create(4)
  await leaves.compute({ start: BLOCK_SIZE / 2, end: 3.5 * BLOCK_SIZE }, NEVER)
  expect(hashed).toEqual([1, 2])
  expect(leaves.known({ start: BLOCK_SIZE / 2, end: 3.5 * BLOCK_SIZE })).toHaveLength(2)
})

test('what is known is told without reading, up to the first gap', async () => {
  const { source, leaves } = create(6)
  expect(leaves.known(blocks(0, 6))).toEqual([])
  await leaves.compute(blocks(0, 2), NEVER)
  await leaves.compute(blocks(3, 5), NEVER)
  const reads = source.reads.length
  expect(leaves.known(blocks(0, 6))).toEqual([source.leaf(0), source.leaf(1)])
  expect(leaves.known(blocks(3, 6))).toEqual([source.leaf(3), source.leaf(4)])
  expect(leaves.known(blocks(2, 6))).toEqual([])
  expect(source.reads).toHaveLength(reads)
})

test('a block that is forgotten is read again, and gets the digest of what is there now', async () => {
  const { source, leaves, hashed } = create(4)
  await allOf(leaves, source)
  source.bytes[BLOCK_SIZE + 9] = 77
  leaves.forget(blocks(1, 2))
  expect(leaves.known(blocks(0, 4))).toEqual([source.leaf(0)])
  await allOf(leaves, source)
  expect(hashed).toEqual([0, 1, 2, 3, 1])
  expect(leaves.known(blocks(0, 4))).toEqual([0, 1, 2, 3].map((index) => source.leaf(index)))
})

test('a file that cannot be read fails the one who asked, and the next may try again', async () => {
  const { source, leaves } = create(2)
  source.beforeRead = async () => {
    source.reading = 0
    throw new Error('gone')
  }
  await expect(leaves.compute(blocks(0, 1), NEVER)).rejects.toThrow('gone')
  source.beforeRead = async () => {}
  await leaves.compute(blocks(0, 2), NEVER)
  expect(leaves.known(blocks(0, 2))).toHaveLength(2)
})

test('reading stops when the signal fires, and what was read is kept', async () => {
  const { source, leaves } = create(40)
  const controller = new AbortController()
  source.beforeRead = async () => controller.abort()
  await leaves.compute(blocks(0, 40), controller.signal)
  expect(source.reads).toEqual([blocks(0, 16)])
  expect(leaves.known(blocks(0, 40))).toHaveLength(16)
})

test('a file without bytes has no leaves and is not read', async () => {
  const { source, leaves } = create(0)
  expect(await allOf(leaves, source)).toEqual([])
  expect(source.reads).toEqual([])
})

test('a block that is forgotten while it is being read does not get the old digest', async () => {
  const { source, leaves } = create(1)
  source.beforeRead = async () => {
    source.beforeRead = async () => {}
    source.bytes[9] = 77
    leaves.forget(blocks(0, 1))
  }
  await leaves.compute(blocks(0, 1), NEVER)
  await leaves.compute(blocks(0, 1), NEVER)
  expect(leaves.known(blocks(0, 1))).toEqual([source.leaf(0)])
})
