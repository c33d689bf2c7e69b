import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'

const B = BLOCK_SIZE

test('a frozen page sends nothing, has no timer and no stream, and goes on where it was', async () => {
  const world = new UploadWorld({ stores: 2, giveUpAfter: 60 })
  const done = world.engine.start()
  await world.clock.run(1_000)
  world.page.sleep()
  await world.clock.run(0)
  const before = world.receivedBytes
  expect(world.engine.state).toBe('running')
  expect(world.ports.map((port) => [port.inFlight, port.sending, port.streams])).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ])
  await world.clock.run(10 * 60_000)
  expect(world.receivedBytes).toBe(before)
  world.page.wake()
  await world.clock.settle(done)
  world.expectWhole()
  expect(world.receivedBytes).toBeLessThanOrEqual(world.source.sizeBytes + 4 * B)
  const told = world.events.filter(({ type }) => ['asleep', 'awake', 'localPause'].includes(type))
  expect(told).toMatchObject([
    { type: 'asleep', reason: 'freeze' },
    { type: 'awake', gapMs: 600_000 },
    { type: 'localPause', gapMs: 600_000 },
  ])
  await world.expectQuiet()
})

test('a page that wakes leaves an upload paused that its user has paused, and one that never slept as it is', async () => {
  const world = new UploadWorld()
  const done = world.engine.start()
  await world.clock.run(500)
  world.page.wake()
  await world.clock.settle(world.engine.pause())
  world.page.sleep()
  await world.clock.run(5_000)
  world.page.wake()
  const before = world.receivedBytes
  await world.clock.run(5_000)
  expect([world.receivedBytes, world.engine.state]).toEqual([before, 'paused'])
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
})

test('what a page freezes before its servers have answered begins when it wakes', async () => {
  const world = new UploadWorld()
  const done = world.engine.start()
  await world.clock.run(1)
  world.page.sleep()
  await world.clock.run(5_000)
  expect(world.receivedBytes).toBe(0)
  world.page.wake()
  await world.clock.settle(done)
  world.expectWhole()
})

test('what was stopped while its page was frozen can be started again', async () => {
  const world = new UploadWorld()
  const stop = new AbortController()
  const started = outcomeOf(world.engine.start({ signal: stop.signal }))
  await world.clock.run(1_000)
  world.page.sleep()
  stop.abort()
  expect(await world.clock.settle(started)).toBe('aborted')
  await world.clock.settle(world.engine.start())
  world.expectWhole()
})

test('a cancel of a frozen upload ends it everywhere', async () => {
  const world = new UploadWorld()
  const started = outcomeOf(world.engine.start())
  await world.clock.run(1_000)
  world.page.sleep()
  await world.clock.settle(world.engine.cancel())
  expect([await started, world.group?.state]).toEqual(['cancelled', 'terminated'])
  await world.expectQuiet()
})

test('what waits after failures tries again as soon as the browser says that it is online', async () => {
  const tried = async (isTold: boolean): Promise<number> => {
    const world = new UploadWorld({ giveUpAfter: 600 })
    void world.engine.start().catch(() => {})
    await world.clock.run(1_000)
    world.home.crash(false)
    await world.clock.run(60_000)
    world.home.restart()
    const restartedMs = world.clock.now()
    const before = world.receivedBytes
    if (isTold) world.page.goOnline()
    while (world.receivedBytes === before) await world.clock.run(50)
    return world.clock.now() - restartedMs
  }
  expect(await tried(true)).toBeLessThan(1_000)
  expect(await tried(false)).toBeGreaterThan(2_000)
})

test('while the user wants little data sent no copy begins, and what is at risk waits', async () => {
  const copies = async (savesData: boolean): Promise<string[]> => {
    const partitioning = { initialSize: 16 * B, minSize: 16 * B }
    const world = new UploadWorld({ stores: 2, blocks: 32, partitioning })
    world.page.savesData = savesData
    const done = world.engine.start()
    while (!world.events.some((event) => event.type === 'acked' && event.server === 1)) await world.clock.run(50)
    for (const port of world.ports.slice(1)) port.isSilent = true
    await world.clock.settle(done)
    world.expectWhole()
    return world.events.flatMap((event) =>
      event.type === 'copy' ? ['copy'] : event.type === 'withheld' && event.code === 'off' ? ['off'] : [],
    )
  }
  expect(await copies(false)).toContain('copy')
  expect(new Set(await copies(true))).toEqual(new Set(['off']))
})
