import { createHash } from 'node:crypto'
import { BLOCK_SIZE, decodeDigest, encodeDigest, merkleRoot } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { groupAlone } from '../testing/groups.js'
import { prepareRoot, rootHere } from './file-root.js'

const COUNT = 150
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const leafOf = (index: number, version: number): string => encodeDigest(sha256(Buffer.from(`${index} ${version}`)))
const allOf = (version: (index: number) => number) => Array.from({ length: COUNT }, (_, i) => leafOf(i, version(i)))
const rootOf = async (leaves: readonly string[]): Promise<string> =>
  encodeDigest(await merkleRoot(leaves.map(decodeDigest), COUNT * BLOCK_SIZE, sha256))

async function setUp() {
  const group = groupAlone({ size: COUNT * BLOCK_SIZE })
  const verify = (blocks: number[], version: number): Promise<void> => {
    for (const index of blocks) group.blocks.replaced(index, leafOf(index, version), 'peer')
    return prepareRoot({ kind: 'verified', group, blocks, where: 'here' })
  }
  return { group, verify }
}

test('a root is told when all blocks are verified, in whatever order they came', async () => {
  const { group, verify } = await setUp()
  const indices = Array.from({ length: COUNT }, (_, i) => i)
  await verify(indices.slice(70).reverse(), 0)
  expect(await rootHere(group)).toBeUndefined()
  await verify(indices.slice(0, 70), 0)
  expect(await rootHere(group)).toBe(await rootOf(allOf(() => 0)))
})

test('a block that was lost and came again with other bytes changes the root', async () => {
  const { group, verify } = await setUp()
  await verify(
    Array.from({ length: COUNT }, (_, i) => i),
    0,
  )
  group.blocks.lose([5])
  expect(await rootHere(group)).toBeUndefined()
  await verify([5], 1)
  expect(await rootHere(group)).toBe(await rootOf(allOf((index) => (index === 5 ? 1 : 0))))
})
