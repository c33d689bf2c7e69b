import { expect, test } from 'vitest'
import { status } from '../handlers/operations/op-status.js'
import { MemoryIndex } from '../records/memory-index.js'
import { newId } from '../testing/client.js'
import { factsOf } from '../testing/groups.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { Budget, ClientBudget, GroupBudgets } from './budgets.js'
import { commitGroup, endGroup } from './ending.js'
import type { Group } from './group.js'
import { type GroupLimits, Groups } from './groups.js'
import { dropSession } from './sessions.js'
import { claimBlocks, noteElsewhere, reportBlocks } from './verification.js'

function setUp(limits: GroupLimits = {}) {
  const clock = { ms: 0 }
  const index = new MemoryIndex()
  const groups = new Groups({ index, files: new MemoryBackend(), now: () => clock.ms }, limits)
  const open = (id = newId()): Promise<Group> => groups.open(id, async () => factsOf(id))
  return { clock, index, groups, open }
}

test('tombstones count among the groups, and the oldest makes room', async () => {
  const { clock, groups, index, open } = setUp({ maxGroups: 3 })
  const [first, second, third] = [await open(), await open(), await open()]
  await expect(open()).rejects.toMatchObject({ code: 'too-many' })
  clock.ms = 10
  second.touchedAt = third.touchedAt = clock.ms
  await endGroup(third, 'terminated')
  await endGroup(first, 'terminated')
  const fourth = await open()
  expect([...groups.all()]).toEqual([second, third, fourth])
  expect(groups.byFileId(first.fileId)).toBeUndefined()
  await first.save()
  expect((await index.load()).groups.map(({ header }) => header.id)).toEqual([third.id])
})

test('groups that are being opened count, and tombstones go only for those that are agreed to', async () => {
  const { groups, open } = setUp({ maxGroups: 3 })
  const ended = [await open(), await open()]
  for (const group of ended) await endGroup(group, 'terminated')
  let agree: (isAgreed: boolean) => void = () => {}
  const asked = new Promise<boolean>((resolve) => {
    agree = resolve
  })
  const slowly = (id: string) =>
    groups.open(id, async () => {
      if (await asked) return factsOf(id)
      throw new Error('refused')
    })
  const opening = ['a', 'b', 'c'].map(slowly)
  await expect(open()).rejects.toMatchObject({ code: 'too-many' })
  expect([...groups.all()]).toEqual(ended)
  agree(true)
  const opened = await Promise.all(opening)
  expect(new Set(groups.all())).toEqual(new Set(opened))
  for (const group of opened) await endGroup(group, 'terminated')
  await expect(groups.open('d', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
  expect(new Set(groups.all())).toEqual(new Set(opened))
})

test('what a home says of a file of any size is told in ranges, whatever it amounts to', async () => {
  const { groups } = setUp()
  const told: unknown[] = []
  groups.subscribe((notice) => {
    if (notice.kind === 'verified' && notice.where === 'elsewhere') told.push(notice.ranges)
  })
  const group = await groups.open('g', async () => ({ ...factsOf('g'), size: null }))
  const all = { start: 0, end: 2 ** 44 }
  await noteElsewhere(group, [all])
  await noteElsewhere(group, [all])
  expect(told).toEqual([[all]])
})

test('a file has the newest group of its name after a restart too, whatever their ids', async () => {
  const { clock, groups, index } = setUp()
  const named = (id: string) => groups.open(id, async () => ({ ...factsOf(id), fileId: 'file' }))
  for (const [first, second] of [
    ['b', 'a'],
    ['c', 'd'],
  ] as const) {
    const ended = await named(first)
    await endGroup(ended, 'terminated')
    clock.ms++
    const newest = await named(second)
    await newest.save()
    const again = new Groups({ index, files: new MemoryBackend(), now: () => 0 })
    await again.load()
    expect(again.byFileId('file')?.id).toBe(second)
    await endGroup(newest, 'terminated')
    clock.ms++
  }
})

test('the end of a group gives back what its claims ahead took of the budget, and a restart takes it again', async () => {
  const limits = { budgets: new GroupBudgets({ claims: new ClientBudget(9, 9, 2) }) }
  const { groups, index, open } = setUp(limits)
  const [one, other] = [await open(), await open()]
  const claims = [0, 1, 2].map((at) => ({ index: at, leaf: 'A' }))
  expect(await claimBlocks(one, claims)).toMatchObject({ open: claims.slice(0, 2), noRoom: claims.slice(2) })
  expect(await claimBlocks(other, claims)).toMatchObject({ open: [], noRoom: claims })
  const budgets = new GroupBudgets()
  await new Groups({ index, files: new MemoryBackend(), now: () => 0 }, { budgets }).load()
  expect(budgets.claims.used).toBe(2)
  await endGroup(one, 'terminated')
  expect(await claimBlocks(other, claims)).toMatchObject({ open: claims.slice(0, 2) })
  await groups.close()
})

test('drops of sessions that were never seen are bounded in a group and in all, kept over a restart, and end with the group', async () => {
  const { groups, index, open } = setUp({ budgets: new GroupBudgets({ unseen: new Budget(2, 3) }) })
  const [one, other] = [await open(), await open()]
  for (const id of ['a', 'b', 'a']) await dropSession(one, id, 'superseded')
  await expect(dropSession(one, 'c', 'terminated')).rejects.toMatchObject({ code: 'too-many' })
  await dropSession(other, 'c', 'terminated')
  await expect(dropSession(other, 'd', 'terminated')).rejects.toMatchObject({ code: 'too-many' })
  expect([one.sessions.size, [...one.clients]]).toEqual([0, []])
  await Promise.all([one.save(), other.save()])
  const budgets = new GroupBudgets()
  const again = new Groups({ index, files: new MemoryBackend(), now: () => 0 }, { budgets })
  await again.load()
  expect([again.get(one.id)?.unseen.get('a'), again.get(one.id)?.sessions.size, budgets.unseen.used]).toEqual([
    'superseded',
    0,
    3,
  ])
  await endGroup(one, 'terminated')
  expect(one.unseen.get('a')).toBeUndefined()
  await dropSession(other, 'd', 'terminated')
  await other.save()
  const last = new GroupBudgets()
  await new Groups({ index, files: new MemoryBackend(), now: () => 0 }, { budgets: last }).load()
  expect(last.unseen.used).toBe(2)
  await groups.close()
})

test('a drop that comes when its group ends is refused, and takes no room of others', async () => {
  const budgets = new GroupBudgets()
  const { open } = setUp({ budgets })
  const group = await open()
  const ending = endGroup(group, 'terminated')
  await expect(dropSession(group, 'a', 'superseded')).rejects.toMatchObject({ code: 'group-ended' })
  await ending
  expect([budgets.unseen.used, group.unseen.get('a')]).toEqual([0, undefined])
})

test('a tombstone whose peers never come back is forgotten too', async () => {
  const { clock, groups, index, open } = setUp()
  const group = await open()
  group.participants.add(newId())
  await endGroup(group, 'terminated')
  clock.ms = 20
  await groups.expire(10)
  expect(groups.get(group.id)).toBe(group)
  clock.ms = 21
  await groups.expire(10)
  expect([groups.get(group.id), group.toTell.size, (await index.load()).groups]).toEqual([undefined, 0, []])
})

test('a commit of a group that has ended meanwhile does nothing', async () => {
  const { open } = setUp()
  const group = await open()
  await endGroup(group, 'terminated')
  let made = 0
  const committed = await commitGroup(group, async () => {
    made++
  })
  expect([committed, made, group.state]).toEqual([false, 0, 'terminated'])
})

test.each(['committed', 'terminated'] as const)(
  'a %s group keeps nothing of its blocks, as after a restart',
  async (state) => {
    const { groups, index, open } = setUp()
    const group = await open()
    group.blocks.complete(0, 'A')
    await claimBlocks(group, [{ index: 0, leaf: 'A' }])
    await claimBlocks(group, [{ index: 1, leaf: 'B' }])
    group.blocks.lose([2])
    await reportBlocks(group, 'peer', [{ index: 3, leaf: 'C' }])
    await noteElsewhere(group, [{ start: 0, end: 1 }])
    if (state === 'committed') await commitGroup(group, async () => {})
    else await endGroup(group, state)
    await expect(claimBlocks(group, [{ index: 4, leaf: 'D' }])).rejects.toMatchObject({ code: 'group-ended' })
    await reportBlocks(group, 'peer', [{ index: 5, leaf: 'E' }])
    await noteElsewhere(group, [{ start: 0, end: 1 }])
    const { header, sessions, ...details } = group.takeChange()
    expect(details).toEqual({ blocks: [], claims: [], bad: [], reports: [], elsewhere: null })
    expect([group.blocks.wholeBlocks(), group.blocks.claims.size, group.blocks.placeOf('A')]).toEqual([
      [],
      0,
      undefined,
    ])
    expect([group.blocks.reports.stores(), group.blocks.isLossUnrecorded(2)]).toEqual([[], false])
    const before = status(group)
    const again = new Groups({ index, files: new MemoryBackend(), now: () => 0 })
    await again.load()
    const restored = again.get(group.id)
    expect(restored && status(restored)).toEqual(before)
    expect([...groups.all()]).toEqual([group])
  },
)
