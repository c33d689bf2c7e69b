import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BLOCK_SIZE,
  blockCeil,
  blockCount,
  blockFloor,
  blockRange,
  decodeDigest,
  encodeDigest,
  merkleRoot,
  merkleTop,
  rangesOfBlocks,
  rootOfSubtrees,
  type Sha256,
  SUBTREE_BLOCKS,
  wholeBlocks,
} from './digest.js'
import { ProtocolError } from './protocol-error.js'

const sha256: Sha256 = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest())

function hash(...parts: Uint8Array[]): Uint8Array {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return new Uint8Array(digest.digest())
}

/** The definition of RFC 6962, top down: the left half is the largest power of two below the number of leaves. */
function topOf(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (!only) return new Uint8Array(32)
  if (leaves.length === 1) return hash(Uint8Array.of(0), only)
  let half = 1
  while (half * 2 < leaves.length) half *= 2
  return hash(Uint8Array.of(1), topOf(leaves.slice(0, half)), topOf(leaves.slice(half)))
}

function rootOf(leaves: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const facts = Buffer.alloc(12)
  facts.writeBigUInt64BE(BigInt(sizeBytes), 0)
  facts.writeUInt32BE(262_144, 8)
  return hash(Uint8Array.of(2), facts, topOf(leaves))
}

const leaf = fc.uint8Array({ minLength: 32, maxLength: 32 })
const sizes = fc.nat({ max: 20 * BLOCK_SIZE })

function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => hash(Uint8Array.of(index)))
}

test('the root is the one that RFC 6962 defines recursively, for any number of blocks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(leaf, { maxLength: 40 }), fc.nat({ max: BLOCK_SIZE - 1 }), async (leaves, missing) => {
      const sizeBytes = Math.max(0, leaves.length * BLOCK_SIZE - missing)
      expect(await merkleRoot(leaves, sizeBytes, sha256)).toEqual(rootOf(leaves, sizeBytes))
    }),
  )
})

test('the tops of subtrees give the root of the whole, whatever the size', async () => {
  for (const count of [0, 1, 63, 64, 65, 127, 128, 129, 191, 193, 321]) {
    const leaves = leavesOf(count)
    const tops: Uint8Array[] = []
    for (let i = 0; i < count; i += SUBTREE_BLOCKS) {
      tops.push(await merkleTop(leaves.slice(i, i + SUBTREE_BLOCKS), sha256))
    }
    const size = count * BLOCK_SIZE
    expect(await rootOfSubtrees(tops, size, sha256)).toEqual(rootOf(leaves, size))
  }
})

test('an asynchronous hash function gives the same root', async () => {
  const later: Sha256 = async (bytes) => sha256(bytes)
  const leaves = leavesOf(7)
  expect(await merkleRoot(leaves, 7 * BLOCK_SIZE, later)).toEqual(rootOf(leaves, 7 * BLOCK_SIZE))
})

test('a different block, order, or length makes a different root', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(leaf, { minLength: 2, maxLength: 12 }), fc.nat(), fc.nat(), async (leaves, at, bit) => {
      const size = leaves.length * BLOCK_SIZE
      const root = encodeDigest(await merkleRoot(leaves, size, sha256))
      const index = at % leaves.length
      const flipped = leaves.map((bytes, i) =>
        i === index ? bytes.map((byte, k) => (k === bit % 32 ? byte ^ 1 : byte)) : bytes,
      )
      expect(encodeDigest(await merkleRoot(flipped, size, sha256))).not.toBe(root)
      expect(encodeDigest(await merkleRoot(leaves, size - 1, sha256))).not.toBe(root)
    }),
    { numRuns: 40 },
  )
  const [a = new Uint8Array(), b = new Uint8Array()] = leavesOf(2)
  const ab = await merkleRoot([a, b], 2 * BLOCK_SIZE, sha256)
  expect(await merkleRoot([b, a], 2 * BLOCK_SIZE, sha256)).not.toEqual(ab)
})

test('no second file is made by handing in inner nodes as leaves', async () => {
  const leaves = leavesOf(4)
  const root = await merkleRoot(leaves, 4 * BLOCK_SIZE, sha256)
  const halves = [topOf(leaves.slice(0, 2)), topOf(leaves.slice(2))]
  expect(await merkleRoot(halves, 2 * BLOCK_SIZE, sha256)).not.toEqual(root)
  expect(await merkleRoot([topOf(leaves)], BLOCK_SIZE, sha256)).not.toEqual(root)
  // nor by repeating the last block, where a tree that pairs an odd node with itself would not notice
  const odd = leavesOf(3)
  const [last = new Uint8Array()] = odd.slice(2)
  expect(topOf([...odd, last])).not.toEqual(topOf(odd))
  const repeated = await merkleRoot([...odd, last], 4 * BLOCK_SIZE, sha256)
  expect(repeated).not.toEqual(await merkleRoot(odd, 3 * BLOCK_SIZE, sha256))
})

test('the root of one block is neither its leaf nor its digest', async () => {
  const [only = new Uint8Array()] = leavesOf(1)
  const root = await merkleRoot([only], BLOCK_SIZE, sha256)
  expect(root).not.toEqual(only)
  expect(root).not.toEqual(hash(Uint8Array.of(0), only))
})

test('a wrong number of leaves is refused, and both numbers are said', async () => {
  await expect(merkleRoot(leavesOf(2), 3 * BLOCK_SIZE, sha256)).rejects.toThrow(
    `a file of ${3 * BLOCK_SIZE} bytes has 3 blocks, not 2`,
  )
  await expect(merkleRoot(leavesOf(1), 0, sha256)).rejects.toMatchObject({ code: 'bad-digest' })
})

test('a digest survives its way over the wire, in 43 characters', () => {
  fc.assert(
    fc.property(leaf, (digest) => {
      const text = encodeDigest(digest)
      expect(text).toBe(Buffer.from(digest).toString('base64url'))
      expect(text).toHaveLength(43)
      expect(new Uint8Array(decodeDigest(text))).toEqual(digest)
    }),
  )
})

test('a digest has one spelling: what decodes encodes to the same text', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{43}$/), (text) => {
      let digest: Uint8Array
      try {
        digest = decodeDigest(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'bad-digest' })
        return
      }
      expect(encodeDigest(digest)).toBe(text)
    }),
  )
})

test('a text that is no digest is refused and quoted', () => {
  const good = encodeDigest(leavesOf(1)[0] ?? new Uint8Array())
  for (const bad of ['', 'short', `${good}=`, `${good}A`, `+${good.slice(1)}`, ` ${good.slice(1)}`, `${good}\n`]) {
    expect(() => decodeDigest(bad)).toThrow(ProtocolError)
    expect(() => decodeDigest(bad)).toThrow(JSON.stringify(bad))
  }
  expect(() => decodeDigest('x'.repeat(10_000))).toThrow(/^.{0,200}$/)
})

test('the blocks of a file touch one another and end where the file ends', () => {
  fc.assert(
    fc.property(sizes, (size) => {
      const blocks = Array.from({ length: blockCount(size) }, (_, index) => blockRange(index, size))
      let at = 0
      for (const { start, end } of blocks) {
        expect(start).toBe(at)
        expect(end).toBeGreaterThan(start)
        expect(end - start).toBeLessThanOrEqual(BLOCK_SIZE)
        at = end
      }
      expect(at).toBe(size)
      expect(rangesOfBlocks(blocks.keys(), size)).toEqual(size > 0 ? [{ start: 0, end: size }] : [])
    }),
  )
})

test('floor and ceiling are the nearest boundaries around an offset, the file end being one', () => {
  fc.assert(
    fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), (size, share) => {
      const offset = Math.floor(size * share)
      const [floor, ceil] = [blockFloor(offset), blockCeil(offset, size)]
      expect(floor % BLOCK_SIZE).toBe(0)
      expect(floor <= offset && offset - floor < BLOCK_SIZE).toBe(true)
      expect(ceil >= offset && ceil - offset < BLOCK_SIZE).toBe(true)
      expect(ceil % BLOCK_SIZE === 0 || ceil === size).toBe(true)
    }),
  )
})

test('the whole blocks of a range are those that lie within it, the short last one included', () => {
  fc.assert(
    fc.property(sizes, fc.nat({ max: 20 * BLOCK_SIZE }), fc.nat({ max: 20 * BLOCK_SIZE }), (size, from, to) => {
      const range = { start: Math.min(from, to, size), end: Math.min(Math.max(from, to), size) }
      const within = Array.from({ length: blockCount(size) }, (_, index) => index).filter((index) => {
        const { start, end } = blockRange(index, size)
        return start >= range.start && end <= range.end
      })
      const { first, last } = wholeBlocks(range, size)
      expect(Array.from({ length: last - first }, (_, i) => first + i)).toEqual(within)
    }),
  )
})
