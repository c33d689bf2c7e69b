import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { EntryIndex } from '../records/entry-index.js'
import { FullEntries } from '../testing/full-entries.js'
import { factsOf } from '../testing/groups.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { commitGroup, endGroup, settleEnd } from './ending.js'
import { Groups } from './groups.js'

async function setUp() {
  const entries = new FullEntries()
  const files = new MemoryBackend()
  const groups = new Groups({ index: new EntryIndex(entries), files, now: () => 0 })
  const told: unknown[] = []
  groups.subscribe(({ kind, group }) => {
    if (kind === 'groupEnded') told.push(group.state)
  })
  const open = async (id: string) => {
    const group = await groups.open(id, async () => factsOf(id, { size: BLOCK_SIZE }))
    await group.file.write(0, Buffer.alloc(10))
    await group.save()
    return group
  }
  const recorded = async () => (await new EntryIndex(entries).load()).groups.map(({ header }) => header.state)
  const stored = async () => [...(await files.stored()).keys()]
  return { entries, groups, open, told, recorded, stored }
}

test('an end that could not be recorded is recorded, told and cleared up by whoever asks for it again', async () => {
  const { entries, open, told, recorded, stored } = await setUp()
  const group = await open('g')
  entries.isFull = true
  await expect(endGroup(group, 'terminated')).rejects.toThrow('no space')
  await expect(endGroup(group, 'terminated')).rejects.toThrow('no space')
  expect([told, await recorded(), await stored()]).toEqual([[], ['open'], ['g']])
  entries.isFull = false
  expect(await endGroup(group, 'terminated')).toBe(false)
  expect([told, await recorded(), await stored()]).toEqual([['terminated'], ['terminated'], []])
  await endGroup(group, 'terminated')
  expect(told).toEqual(['terminated'])
})

test('a commit that is made and could not be recorded is told once it is', async () => {
  const { entries, open, told, recorded } = await setUp()
  const group = await open('g')
  const finalise = async () => {
    entries.isFull = true
  }
  await expect(group.queue.run(() => commitGroup(group, finalise))).rejects.toThrow('no space')
  expect([group.state, told, await recorded()]).toEqual(['committed', [], ['committing']])
  entries.isFull = false
  await settleEnd(group)
  expect([told, await recorded()]).toEqual([['committed'], ['committed']])
})

test('the clean-up tries again, and one end that fails does not hold up the others', async () => {
  const { entries, groups, open, told, stored } = await setUp()
  const [first] = [await open('a'), await open('b')]
  first.file.remove = async () => {
    throw new Error('denied')
  }
  entries.isFull = true
  await expect(endGroup(first, 'terminated')).rejects.toThrow('no space')
  entries.isFull = false
  await expect(groups.expire(-1)).rejects.toThrow('denied')
  expect([told, await stored()]).toEqual([['expired'], ['a']])
})
