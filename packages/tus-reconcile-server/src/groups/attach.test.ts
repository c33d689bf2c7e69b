import { createHash } from 'node:crypto'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { MemoryIndex } from '../records/memory-index.js'
import type { RangeBackend, RangeFile } from '../store/range-backend.js'
import { factsOf } from '../testing/groups.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { attachKnown } from './attach.js'
import { overwrite, replaceBlock } from './bring-in.js'
import { Groups } from './groups.js'
import { RunningWrite, Session } from './session.js'

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

async function setUp<Files extends RangeBackend>(files: Files) {
  const groups = new Groups({ index: new MemoryIndex(), files, now: () => 0 })
  const told: unknown[] = []
  groups.subscribe((notice) => {
    if ('blocks' in notice) told.push({ kind: notice.kind, blocks: notice.blocks })
  })
  const group = await groups.open('g', async () => factsOf('g', { size: 5 * BLOCK_SIZE }))
  await group.queue.run(() => replaceBlock(group, { index: 0, leaf, bytes }, 'peer'))
  return { files, group, told }
}

test('operations copy into one upload one after the other, so that no block is copied for two of them', async () => {
  const { files, group } = await setUp(new CountingBackend())
  const counted: number[] = []
  const by = { scope: null, count: (amount: number) => void counted.push(amount), uncount: () => {} }
  const attached = await Promise.all([attachKnown(group, wanted, by), attachKnown(group, wanted, by)])
  expect(attached).toEqual([[1, 2, 3, 4], []])
  expect([counted.length, group.copied, files.reads]).toEqual([4, 4 * BLOCK_SIZE, 4])
})

test('an operation that fails does not hold up the next', async () => {
  const { group } = await setUp(new CountingBackend())
  const failing = attachKnown(group, wanted, { scope: null, count: () => fail(), uncount: () => {} })
  const next = attachKnown(group, wanted, { scope: null, count: () => {}, uncount: () => {} })
  await expect(failing).rejects.toThrow('no count')
  expect(await next).toEqual([1, 2, 3, 4])
})

test('where a copy fails, what was copied before it is told and counts, and nothing else', async () => {
  const { group, told } = await setUp(new CountingBackend())
  const write = group.file.write.bind(group.file)
  Object.assign(group.file, {
    write: (position: number, ...pieces: Uint8Array[]) =>
      position === 3 * BLOCK_SIZE ? Promise.reject(new Error('full')) : write(position, ...pieces),
  })
  let counted = 0
  const by = {
    scope: null,
    count: (amount: number) => {
      counted += amount
    },
    uncount: (amount: number) => {
      counted -= amount
    },
  }
  await expect(attachKnown(group, wanted, by)).rejects.toThrow('full')
  expect([counted, group.copied]).toEqual([2 * BLOCK_SIZE, 2 * BLOCK_SIZE])
  expect(told).toEqual([
    { kind: 'verified', blocks: [1, 2] },
    { kind: 'reused', blocks: [1, 2] },
  ])
})

test('who copies while no body comes says when he is idle: thousands of uploads hold no descriptor', async () => {
  const calls: string[] = []
  const backend = new MemoryBackend()
  const open = backend.open.bind(backend)
  backend.open = (name) => {
    const file = open(name)
    const write = file.write.bind(file)
    return Object.assign(file, {
      write: (position: number, ...pieces: Uint8Array[]) => {
        calls.push('write')
        return write(position, ...pieces)
      },
      idle: async () => void calls.push('idle'),
    })
  }
  const { group } = await setUp(backend)
  await attachKnown(group, wanted, { scope: null, count: () => {}, uncount: () => {} })
  expect([calls.filter((call) => call === 'write').length, calls.at(-1)]).toEqual([5, 'idle'])
  const session = new Session({ id: 's', partition: 'p', client: 'c', start: 0, end: null, attempt: 0 })
  group.addSession(session)
  session.running = new RunningWrite()
  await group.queue.run(() => overwrite(group, 4, bytes))
  expect(calls.at(-1)).toBe('write')
})

function fail(): never {
  throw new Error('no count')
}
