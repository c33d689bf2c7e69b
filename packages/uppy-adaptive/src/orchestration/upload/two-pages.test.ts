import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { MemoryJournal } from '../../testing/memory-journal.js'
import { MemoryOrigin } from '../../testing/memory-turns.js'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'

const B = BLOCK_SIZE

/** Two pages of one origin that upload one file; the first has begun. */
async function twoPages(o: { ms?: number } = {}) {
  const [origin, journal] = [new MemoryOrigin(), new MemoryJournal()]
  const first = new UploadWorld({ stores: 2, blocks: 80, journal, origin })
  const firstDone = outcomeOf(first.engine.start())
  await first.clock.run(o.ms ?? 1_000)
  const second = new UploadWorld({ on: first, stores: 2, journal, origin })
  const secondDone = outcomeOf(second.engine.start())
  await first.clock.run(500)
  expect(types(second)).toContain('following')
  return { origin, journal, first, firstDone, second, secondDone, clock: first.clock }
}

const types = (world: UploadWorld) => world.events.map(({ type }) => type)
const progressOf = (world: UploadWorld) =>
  world.events.flatMap((event) => (event.type === 'progress' ? [event.ackedBytes] : []))

test('of two pages with one file one uploads; the other follows and ends with the same file, and the bytes go once', async () => {
  const { first, firstDone, second, secondDone, clock, origin } = await twoPages()
  expect(await clock.settle(firstDone)).toMatchObject({ url: expect.any(String) })
  expect(await clock.settle(secondDone)).toMatchObject({ url: expect.any(String) })
  first.expectWhole()
  // what was handed over of a session's end before that was given to another arrives twice
  expect(first.receivedBytes).toBeLessThan(1.1 * first.source.sizeBytes)
  expect(types(second)).not.toContain('session')
  expect(progressOf(second).length).toBeGreaterThan(3)
  expect(progressOf(second)).toEqual(progressOf(second).toSorted((a, b) => a - b))
  expect(progressOf(second).at(-1)).toBe(second.source.sizeBytes)
  expect(origin.busy).toBe(0)
  await second.expectQuiet()
})

test('the follower goes on when the page that uploads is closed, or pauses, or is frozen', async () => {
  for (const end of ['closed', 'paused', 'frozen'] as const) {
    const { first, second, secondDone, clock } = await twoPages()
    if (end === 'closed') first.vanish()
    if (end === 'paused') await clock.settle(first.engine.pause())
    if (end === 'frozen') first.page.sleep()
    await clock.settle(secondDone)
    second.expectWhole()
    expect(types(second)).toContain('session')
    // a begun block of each of the two sessions that a store may have
    expect(second.receivedBytes).toBeLessThanOrEqual(second.source.sizeBytes + 4 * B)
    if (end === 'closed') continue
    if (end === 'paused') await first.engine.resume()
    if (end === 'frozen') first.page.wake()
    await clock.run(60_000)
    expect(first.engine.state).toBe('done')
  }
})

test('a page that follows and is cancelled leaves the other alone', async () => {
  const { first, firstDone, second, secondDone, clock, journal } = await twoPages()
  await clock.settle(second.engine.cancel())
  expect(await secondDone).toBe('cancelled')
  expect(journal.texts.size).toBe(2)
  await clock.settle(firstDone)
  first.expectWhole()
  await second.expectQuiet()
})

test('when the page that uploads is cancelled, the other uploads the file anew', async () => {
  const { first, second, secondDone, clock } = await twoPages()
  await clock.settle(first.engine.cancel())
  await clock.settle(secondDone)
  second.expectWhole()
  expect(second.home.files.size).toBe(1)
})

test('a page that follows can be paused, stopped and started again', async () => {
  const { first, firstDone, second, secondDone, clock, origin } = await twoPages()
  await clock.settle(second.engine.pause())
  await second.engine.resume()
  await clock.run(300)
  await clock.settle(firstDone)
  await clock.settle(secondDone)
  first.expectWhole()
  expect([second.engine.state, origin.busy]).toEqual(['done', 0])
})
