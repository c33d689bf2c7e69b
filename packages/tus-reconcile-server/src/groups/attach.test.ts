import { createHash } from 'node:crypto'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { MemoryIndex } from '../records/memory-index.js'
import type { RangeFile } from '../store/range-backend.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { attachKnown } from './attach.js'
import { replaceBlock } from './bring-in.js'
import { Groups } from './groups.js'

/** Counts the reads of all files. */
class CountingBackend extends MemoryBackend {
  reads = 0
  override open(name: string): RangeFile {
    const file = super.open(name)
    const read = file.read.bind(file)
    return Object.assign(file, {
      read: (position: number, length: number) => {
        this.reads++
        return read(position, length)
      },
    })
  }
}

const bytes = Buffer.alloc(BLOCK_SIZE, 'a')
const leaf = createHash('sha256').update(bytes).digest('base64url')
const wanted = [1, 2, 3, 4].map((index) => ({ index, leaf }))

async function setUp() {
  const files = new CountingBackend()
  const groups = new Groups({ index: new MemoryIndex(), files, now: () => 0 })
  const facts = { home: 'h', url: null, size: 5 * BLOCK_SIZE, maxSize: null, metadata: null, opened: true }
  const group = await groups.open('g', async () => ({ ...facts, id: 'g', fileId: 'g' }))
  await group.queue.run(() => replaceBlock(group, { index: 0, leaf, bytes }))
  return { files, group }
}

test('operations copy into one upload one after the other, so that no block is copied for two of them', async () => {
  const { files, group } = await setUp()
  const counted: number[] = []
  const by = { scope: null, count: (amount: number) => void counted.push(amount) }
  const attached = await Promise.all([attachKnown(group, wanted, by), attachKnown(group, wanted, by)])
  expect(attached).toEqual([[1, 2, 3, 4], []])
  expect([counted.length, group.copied, files.reads]).toEqual([4, 4 * BLOCK_SIZE, 4])
})

test('an operation that fails does not hold up the next', async () => {
  const { group } = await setUp()
  const failing = attachKnown(group, wanted, { scope: null, count: () => fail() })
  const next = attachKnown(group, wanted, { scope: null, count: () => {} })
  await expect(failing).rejects.toThrow('no count')
  expect(await next).toEqual([1, 2, 3, 4])
})

function fail(): never {
  throw new Error('no count')
}
