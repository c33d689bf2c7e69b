import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { MemoryJournal } from '../../testing/memory-journal.js'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'

const B = BLOCK_SIZE

/** A page that vanished in mid-upload. */
async function vanished(o: { stores?: number; blocks?: number; ms?: number } = {}) {
  const journal = new MemoryJournal()
  const before = new UploadWorld({ ...o, journal })
  void before.engine.start()
  await before.clock.run(o.ms ?? 1_200)
  before.vanish()
  expect(before.receivedBytes).toBeGreaterThan(8 * B)
  expect(before.receivedBytes).toBeLessThan(before.source.sizeBytes)
  return { before, journal }
}

/** How often it began or went on, and which. */
function starts(world: UploadWorld): boolean[] {
  return world.events.flatMap((event) => (event.type === 'started' ? [event.resumed] : []))
}

test('what a vanished page has uploaded the next one does not send again, with partitions of another size', async () => {
  const { before, journal } = await vanished({ stores: 2, blocks: 60 })
  const partitioning = { initialSize: 5 * B, minSize: 3 * B, maxSize: 7 * B }
  const next = new UploadWorld({ on: before, stores: 2, journal, partitioning })
  await next.clock.settle(next.engine.start())
  next.expectWhole()
  expect(starts(next)).toEqual([true])
  // one begun block of each of the two sessions that a store may have
  expect(next.receivedBytes).toBeLessThanOrEqual(next.source.sizeBytes + 4 * B)
  expect(journal.texts.size).toBe(0)
  await next.expectQuiet()
})

test('a group that its servers have dropped meanwhile is begun anew', async () => {
  const { before, journal } = await vanished()
  await before.clock.run(2 * 24 * 3_600_000)
  expect(before.group?.state ?? 'expired').toBe('expired')
  const next = new UploadWorld({ on: before, journal })
  await next.clock.settle(next.engine.start())
  next.expectWhole()
  expect(starts(next)).toEqual([true, false])
})

test('a file that changed meanwhile is refused, its old upload ended, and another start uploads what it is now', async () => {
  const { before, journal } = await vanished()
  const old = before.group
  before.source.bytes[3] = 99
  const next = new UploadWorld({ on: before, journal })
  const refused = await next.clock.settle(next.engine.start().catch((error: unknown) => error))
  expect(refused).toMatchObject({ code: 'source-changed', message: expect.stringContaining('start again') })
  expect([old?.state, journal.texts.size, starts(next)]).toEqual(['terminated', 0, []])
  await next.expectQuiet()
  await next.clock.settle(next.engine.start())
  next.expectWhole()
})

test('a change that no mark shows is found by the servers, before what is left is sent', async () => {
  const { before, journal } = await vanished({ blocks: 400, ms: 2_000 })
  const receivedBytes = before.receivedBytes
  before.source.bytes[2 * B + 5] = 99
  const next = new UploadWorld({ on: before, journal })
  expect(await next.clock.settle(outcomeOf(next.engine.start()))).toBe('source-changed')
  expect(next.receivedBytes - receivedBytes).toBeLessThan(next.source.sizeBytes / 4)
  expect([next.group?.state, journal.texts.size]).toEqual(['terminated', 0])
})

test('a cancel before any server has answered ends what the journal knows', async () => {
  const { before, journal } = await vanished()
  const next = new UploadWorld({ on: before, journal })
  const started = outcomeOf(next.engine.start())
  await next.clock.run(1)
  await next.clock.settle(next.engine.cancel())
  expect(await started).toBe('cancelled')
  expect([next.group?.state, journal.texts.size]).toEqual(['terminated', 0])
  expect(next.events.filter(({ type }) => type === 'warning')).toEqual([])
  await next.expectQuiet()
})

test('a cancel in a page that has started nothing ends what the page before it began', async () => {
  const { before, journal } = await vanished({ stores: 2, blocks: 60 })
  const next = new UploadWorld({ on: before, stores: 2, journal })
  await next.clock.settle(next.engine.cancel())
  await next.clock.run(5_000)
  const left = next.servers.flatMap(({ groups }) => [...groups.values()].map(({ state }) => state))
  expect([...new Set(left), journal.texts.size]).toEqual(['terminated', 0])
  expect(next.events.filter(({ type }) => type === 'warning')).toEqual([])
  await next.expectQuiet()
})

test('a cancel of what no server has heard of is told to nobody in vain', async () => {
  const world = new UploadWorld({ journal: new MemoryJournal() })
  const started = outcomeOf(world.engine.start())
  await world.clock.run(45)
  await world.clock.settle(world.engine.cancel())
  expect(await started).toBe('cancelled')
  expect(world.events.filter(({ type }) => type === 'warning')).toEqual([])
})

test('a cancel waits for a home that restarts', async () => {
  const world = new UploadWorld()
  const started = outcomeOf(world.engine.start())
  await world.clock.run(1_000)
  world.home.crash(true)
  const cancelled = world.engine.cancel()
  await world.clock.run(500)
  world.home.restart()
  await world.clock.settle(cancelled)
  expect([await started, world.group?.state]).toEqual(['cancelled', 'terminated'])
})

test('a journal that is denied fails no upload', async () => {
  const journal = new MemoryJournal()
  journal.fault = new Error('denied')
  const world = new UploadWorld({ journal })
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  expect(world.events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'journal-failed' }))
})
