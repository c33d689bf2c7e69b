import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { EntryIndex } from '../records/entry-index.js'
import { blockDigest } from '../testing/client.js'
import { FullEntries } from '../testing/full-entries.js'
import { groupAlone } from '../testing/groups.js'
import { overwrite } from './bring-in.js'
import { ByteRun } from './byte-run.js'
import { RunningWrite, Session } from './session.js'
import { acceptBytes } from './writing.js'

const B = BLOCK_SIZE

/** A group with one whole block of zeros that nobody has claimed, recorded. */
async function setUp() {
  const entries = new FullEntries()
  const group = groupAlone({ size: 4 * B }, { index: new EntryIndex(entries) })
  const write = async (name: string, bytes: Uint8Array) => {
    const facts = { id: name, partition: 'p', client: 'c', start: 0, end: null, attempt: 0 }
    const session = group.sessions.get(name) ?? new Session(facts)
    group.addSession(session)
    await acceptBytes(group, { session, running: new RunningWrite() }, new ByteRun([bytes]))
  }
  await write('first', Buffer.alloc(B))
  await group.save()
  const inFile = async () => Buffer.from(await group.file.read(0, B))
  const recorded = async () => (await new EntryIndex(entries).load()).groups[0]?.blocks[0]
  return { entries, group, write, inFile, recorded }
}

const leafOf = (bytes: Uint8Array): string => Buffer.from(blockDigest(bytes)).toString('base64url')

test('bytes come to a place whose block was freed only when the record no longer calls it whole', async () => {
  const { entries, group, write, inFile, recorded } = await setUp()
  const other = Buffer.alloc(B, 1)
  expect(group.blocks.claim(0, leafOf(other))).toBe('bad')
  entries.isFull = true
  await expect(write('second', other.subarray(0, 10))).rejects.toThrow('no space')
  expect((await inFile()).equals(Buffer.alloc(B))).toBe(true)
  expect(await recorded()).toEqual([0, ['h', leafOf(Buffer.alloc(B))]])
  entries.isFull = false
  await write('second', other.subarray(0, 10))
  expect((await inFile()).subarray(0, 10)).toEqual(other.subarray(0, 10))
  expect(await recorded()).toEqual([0, ['p', 'second']])
})

test('a whole block is overwritten only when the record no longer calls it whole', async () => {
  const { entries, group, inFile, recorded } = await setUp()
  const other = Buffer.alloc(B, 1)
  entries.isFull = true
  await expect(group.queue.run(() => overwrite(group, 0, other))).rejects.toThrow('no space')
  expect((await inFile()).equals(Buffer.alloc(B))).toBe(true)
  entries.isFull = false
  await group.queue.run(() => overwrite(group, 0, other))
  expect((await inFile()).equals(other)).toBe(true)
  expect((await recorded())?.[1]).not.toEqual(['h', leafOf(Buffer.alloc(B))])
})
