import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, encodeDigest, merkleRoot } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { digestOfFile } from './file-digest.js'

const { signal } = new AbortController()

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest())
}

function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => sha256(Uint8Array.of(index & 255, index >> 8)))
}

test('it is the root of the tree over all blocks, however many there are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: BLOCK_SIZE }), async (count, last) => {
      const all = leavesOf(count)
      const sizeBytes = count === 0 ? 0 : (count - 1) * BLOCK_SIZE + last
      const leaves = { compute: async () => {}, between: (from: number, to: number) => all.slice(from, to) }
      const clock = { now: () => 0, breathe: async () => {} }
      const digest = await digestOfFile(leaves, { sizeBytes, sha256, clock, signal })
      expect(digest).toBe(encodeDigest(await merkleRoot(all, sizeBytes, sha256)))
    }),
    { numRuns: 30 },
  )
})

test('where hashing takes long, other work has its turn in between', async () => {
  const all = leavesOf(640)
  let nowMs = 0
  let turns = 0
  const clock = {
    now: () => nowMs,
    breathe: async () => {
      turns += 1
    },
  }
  const slow = (bytes: Uint8Array) => {
    nowMs += 0.1
    return sha256(bytes)
  }
  const leaves = { compute: async () => {}, between: (from: number, to: number) => all.slice(from, to) }
  await digestOfFile(leaves, { sizeBytes: 640 * BLOCK_SIZE, sha256: slow, clock, signal })
  expect(turns).toBe(10)
})

test('a block that was forgotten meanwhile is read again', async () => {
  const all = leavesOf(200)
  const known = new Set<number>()
  let nowMs = 0
  const leaves = {
    compute: async ({ start, end }: ByteRange) => {
      for (let at = start; at < end; at += BLOCK_SIZE) known.add(at / BLOCK_SIZE)
    },
    between: (from: number, to: number) =>
      all.slice(from, to).map((leaf, i) => (known.has(from + i) ? leaf : new Uint8Array())),
  }
  const clock = {
    now: () => (nowMs += 5),
    breathe: async () => {
      known.clear()
    },
  }
  await leaves.compute({ start: 0, end: 200 * BLOCK_SIZE })
  const sizeBytes = 200 * BLOCK_SIZE
  const digest = await digestOfFile(leaves, { sizeBytes, sha256, clock, signal })
  expect(digest).toBe(encodeDigest(await merkleRoot(all, sizeBytes, sha256)))
})
