import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { readLog, replay } from 'upload-predictor'
import { expect, test } from 'vitest'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'

const B = BLOCK_SIZE

for (const stores of [1, 3]) {
  test(`a file goes to ${stores} store(s), and nothing is left running`, async () => {
    const world = new UploadWorld({ stores })
    const result = await world.clock.settle(world.engine.start())
    world.expectWhole()
    // what was handed over of a session's end before that was given to another arrives twice
    expect(world.receivedBytes).toBeLessThan((stores === 1 ? 1 : 1.1) * world.source.sizeBytes + 1)
    expect(result).toMatchObject({ size: world.source.sizeBytes, url: expect.stringContaining('http://s0.test/') })
    expect(world.engine.state).toBe('done')
    await world.expectQuiet()
  })
}

test('an empty file is one creation and a commit', async () => {
  const world = new UploadWorld({ blocks: 0 })
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  await world.expectQuiet()
})

test('an empty file whose creation is lost, or comes while its server is away, is created again', async () => {
  for (const kind of ['lost', 'away', 'busy'] as const) {
    const world = new UploadWorld({ blocks: 0 })
    const done = world.engine.start()
    await world.clock.run(45)
    const [port] = world.ports
    if (kind === 'lost' && port) port.losesAnswers = 2
    if (kind === 'busy') world.home.busyFor = 3
    if (kind === 'away') world.home.crash(true)
    await world.clock.run(5_000)
    if (kind === 'away') world.home.restart()
    await world.clock.settle(done)
    world.expectWhole()
    await world.expectQuiet()
  }
})

test('an empty file that its server never takes is given up, not waited for for ever', async () => {
  const world = new UploadWorld({ blocks: 0, giveUpAfter: 20 })
  const started = outcomeOf(world.engine.start())
  await world.clock.run(45)
  world.home.crash(true)
  expect(await world.clock.settle(started)).toBe('gave-up')
  await world.expectQuiet()
})

test('answers that are lost after the server acted cost no more than a request each', async () => {
  const world = new UploadWorld({ stores: 2 })
  for (const port of world.ports) port.losesAnswers = 3
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  expect(world.receivedBytes).toBeLessThan(1.1 * world.source.sizeBytes)
  const lost = 6 - world.ports.reduce((sum, port) => sum + port.losesAnswers, 0)
  expect(lost).toBeGreaterThan(0)
  expect(world.events.filter((event) => event.type === 'cut')).toHaveLength(lost)
})

test('a store that falls silent for good does not keep the file', async () => {
  const world = new UploadWorld({ stores: 3, blocks: 80 })
  const done = world.engine.start()
  await world.clock.run(1_500)
  for (const port of world.ports.slice(1, 2)) port.isSilent = true
  await world.clock.settle(done, 60_000)
  world.expectWhole()
})

test('while it is paused nothing is sent; afterwards no whole block that arrived is sent again', async () => {
  const world = new UploadWorld({ stores: 2 })
  const done = world.engine.start()
  await world.clock.run(1_000)
  await world.clock.settle(world.engine.pause())
  const before = world.receivedBytes
  await world.clock.run(60_000)
  expect(world.receivedBytes).toBe(before)
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
  // one begun block of each of the two sessions that a store may have
  expect(world.receivedBytes).toBeLessThanOrEqual(world.source.sizeBytes + 4 * B)
  await world.expectQuiet()
})

test('a pause of the user is no silence: the risk model is told that nothing ran, and its log tells another the same', async () => {
  const world = new UploadWorld({ stores: 2 })
  const done = world.engine.start()
  await world.clock.run(1_000)
  await world.clock.settle(world.engine.pause())
  await world.clock.run(60_000)
  await world.engine.resume()
  await world.clock.settle(done)
  const told = world.events.filter(({ type }) => ['paused', 'resumed', 'localPause'].includes(type))
  expect(told).toMatchObject([{ type: 'paused' }, { type: 'resumed' }, { type: 'localPause', gapMs: 60_000 }])
  const { events } = readLog({ name: 'paused', text: world.engine.toNdjson(), sha256: '' })
  expect(replay(events).left).toBe(0)
})

test('paused before it starts, it sends nothing until it is resumed', async () => {
  const world = new UploadWorld()
  await world.engine.pause()
  const done = world.engine.start()
  await world.clock.run(10_000)
  expect([world.receivedBytes, world.engine.state]).toEqual([0, 'paused'])
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
})

test('paused while its servers are asked what they are, it asks nobody until it is resumed', async () => {
  const world = new UploadWorld({ stores: 2 })
  const requests = () => world.ports.reduce((sum, port) => sum + port.inFlight, 0)
  const done = world.engine.start()
  await world.clock.run(10)
  expect(requests()).toBe(2)
  await world.engine.pause()
  await world.clock.run(0)
  expect([requests(), world.engine.state]).toEqual([0, 'paused'])
  await world.clock.run(60_000)
  expect(requests()).toBe(0)
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
})

test('paused before any server has heard of it, it goes on as if it began', async () => {
  const world = new UploadWorld()
  const done = world.engine.start()
  await world.clock.run(45)
  await world.clock.settle(world.engine.pause())
  expect(world.receivedBytes).toBe(0)
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
})

test('without any event stream, as behind a proxy that holds it back, it comes to its end all the same', async () => {
  const world = new UploadWorld({ stores: 2, blocks: 80 })
  for (const port of world.ports) port.holdsEvents = true
  await world.clock.settle(world.engine.start(), 60_000)
  world.expectWhole()
  // what a session has handed over when its end is lowered arrives twice
  expect(world.receivedBytes).toBeLessThan(1.1 * world.source.sizeBytes)
})

test('an abort ends an upload that is paused, and a second start goes on with it', async () => {
  const world = new UploadWorld()
  const stop = new AbortController()
  const first = outcomeOf(world.engine.start({ signal: stop.signal }))
  await world.clock.run(1_000)
  await world.clock.settle(world.engine.pause())
  stop.abort()
  expect(await world.clock.settle(first)).toBe('aborted')
  await world.expectQuiet()
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  const started = world.events.flatMap((event) => (event.type === 'started' ? [[event.group, event.resumed]] : []))
  expect(started).toEqual([
    [world.group?.id, false],
    [world.group?.id, true],
  ])
  expect(world.receivedBytes).toBeLessThanOrEqual(world.source.sizeBytes + 2 * B)
})

test('a cancel ends the group everywhere before it settles, whether it runs, pauses or was aborted', async () => {
  for (const before of ['running', 'paused', 'aborted'] as const) {
    const world = new UploadWorld({ stores: 2 })
    const stop = new AbortController()
    const started = outcomeOf(world.engine.start({ signal: stop.signal }))
    await world.clock.run(1_000)
    if (before === 'paused') await world.clock.settle(world.engine.pause())
    if (before === 'aborted') {
      stop.abort()
      await world.clock.settle(started)
    }
    await world.clock.settle(world.engine.cancel())
    expect(world.group?.state).toBe('terminated')
    expect(await started).toBe(before === 'aborted' ? 'aborted' : 'cancelled')
    await world.expectQuiet()
  }
})

test('a cancelled upload does not start again', async () => {
  const world = new UploadWorld()
  await world.clock.settle(world.engine.cancel())
  expect(await outcomeOf(world.engine.start())).toBe('cancelled')
  await world.clock.run(10_000)
  expect(world.receivedBytes).toBe(0)
})

test('a cancel that no server hears says so and ends all the same', async () => {
  const world = new UploadWorld()
  const started = outcomeOf(world.engine.start())
  await world.clock.run(1_000)
  for (const port of world.ports) port.isSilent = true
  await world.clock.settle(world.engine.cancel())
  expect(await started).toBe('cancelled')
  expect(world.events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'cancel-incomplete' }))
  await world.expectQuiet()
})

test('it is given up when all servers are silent for so long, and another start goes on', async () => {
  const world = new UploadWorld({ stores: 2, giveUpAfter: 60 })
  const started = outcomeOf(world.engine.start())
  await world.clock.run(1_000)
  for (const port of world.ports) port.isSilent = true
  expect(await world.clock.settle(started)).toBe('gave-up')
  expect(world.clock.now()).toBeLessThan(90_000)
  await world.expectQuiet()
  for (const port of world.ports) port.isSilent = false
  await world.clock.settle(world.engine.start())
  world.expectWhole()
})

test('a machine that sleeps for hours in the middle goes on where it was', async () => {
  const world = new UploadWorld({ stores: 2, giveUpAfter: 60 })
  const done = world.engine.start()
  for (let naps = 0; naps < 3; naps++) {
    await world.clock.run(500)
    world.clock.advance(3 * 3_600_000)
  }
  await world.clock.settle(done)
  world.expectWhole()
  expect(world.events.filter((event) => event.type === 'localPause').length).toBeGreaterThanOrEqual(1)
})
