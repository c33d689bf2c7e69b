import { expect, test } from 'vitest'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'
import type { AttemptOutcome } from '../ports.js'

/** Two stores, the mirror's sessions answered 500 while `isFailing`, though it answers every other question. */
function failingMirror(blocks: number) {
  const world = new UploadWorld({ stores: 2, blocks })
  for (const each of world.ports) each.upBytesPerSecond = 200_000
  const [, port] = world.ports
  if (!port) throw new Error('no mirror')
  const mirror = { isFailing: true, attemptsAtMs: [] as number[] }
  const attempt = port.attempt.bind(port)
  port.attempt = async (o): Promise<AttemptOutcome> => {
    mirror.attemptsAtMs.push(world.clock.now())
    if (!mirror.isFailing) return attempt(o)
    await new Promise<void>((resolve) => world.clock.after(50, resolve))
    return { kind: 'wait', status: 500, retryAfterMs: undefined }
  }
  const states = () => world.events.flatMap((event) => (event.type === 'server' && event.server === 1 ? [event] : []))
  return { world, mirror, states }
}

test('a mirror that fails whatever it is given, though it answers, is tried ever more seldom', async () => {
  const { world, mirror, states } = failingMirror(40)
  await world.clock.settle(outcomeOf(world.engine.start()))
  world.expectWhole()
  const suspicions = states().filter(({ state }) => state === 'suspect')
  const quarantines = suspicions.map(({ quarantineMs = 0 }) => quarantineMs)
  expect(quarantines.slice(0, 6)).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000])
  // three attempts each time; without a quarantine there were 156 in the same time
  expect(mirror.attemptsAtMs.length).toBeLessThanOrEqual(3 * (suspicions.length + 1))
})

test('a mirror that failed is taken again when it is well, and its next fault is a first one', async () => {
  const { world, mirror, states } = failingMirror(40)
  const done = outcomeOf(world.engine.start())
  await world.clock.run(12_000)
  mirror.isFailing = false
  const wellMs = world.clock.now()
  await world.clock.run(12_000)
  const bytesBefore = world.servers[1]?.bodies.receivedBytes ?? 0
  expect(bytesBefore).toBeGreaterThan(0)
  expect(mirror.attemptsAtMs.find((atMs) => atMs >= wellMs)).toBeLessThan(wellMs + 8_500)
  mirror.isFailing = true
  await world.clock.run(8_000)
  mirror.isFailing = false
  await world.clock.settle(done)
  world.expectWhole()
  const afterwards = states().filter(({ state }) => state === 'suspect')
  expect(afterwards.map(({ quarantineMs = 0 }) => quarantineMs).lastIndexOf(0)).toBeGreaterThan(0)
  expect(world.servers[1]?.bodies.receivedBytes ?? 0).toBeGreaterThan(bytesBefore)
})

test('with no other server at work nobody is left alone', async () => {
  const { world, mirror, states } = failingMirror(20)
  const done = outcomeOf(world.engine.start())
  // bad again by the time that it is the last
  await world.clock.run(7_000)
  const [home] = world.ports
  if (home) home.isSilent = true
  await world.clock.run(5_000)
  mirror.isFailing = false
  const wellMs = world.clock.now()
  await world.clock.run(2_000)
  expect(mirror.attemptsAtMs.some((atMs) => atMs >= wellMs)).toBe(true)
  if (home) home.isSilent = false
  await world.clock.settle(done)
  expect(states().some(({ state }) => state === 'returned')).toBe(true)
  world.expectWhole()
})
