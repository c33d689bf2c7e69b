import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMemoryHost } from '../../testing/memory-host.js'
import { MemoryPlain } from '../../testing/memory-plain.js'
import { MemorySource } from '../../testing/memory-source.js'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { OrderedRandomness } from '../../testing/transfer-rig.js'
import { outcomeOf } from '../../testing/upload-world.js'
import type { LoggedEvent } from '../log/event-log.js'
import { resolveOptions, type UploadOptions } from '../options.js'
import { UploadEngine } from '../upload/upload-engine.js'

const MB = 1_000_000
const SIZE = 15 * MB
/** The figure: from a dead path's return, or its server's, to the next byte. */
const RETURN_MS = 3_000

/** One file and its plain server, and a clock in the test's hand. */
class PlainWorld {
  readonly clock = new SimulatedClock()
  readonly server = new MemoryPlain(this.clock)
  readonly source: MemorySource
  readonly engine: UploadEngine
  readonly events: LoggedEvent[] = []

  constructor(o: { sizeBytes?: number; options?: Partial<UploadOptions> } = {}) {
    this.source = new MemorySource(o.sizeBytes ?? SIZE)
    const host = createMemoryHost({
      ...{ clock: this.clock, randomness: new OrderedRandomness(), journal: undefined },
      ...{ ports: [this.server], plain: this.server, openSource: async () => this.source },
    })
    this.engine = new UploadEngine(host, resolveOptions({ endpoint: this.server.endpoint, ...o.options }))
    this.engine.on('event', (event) => this.events.push(event))
  }

  count(type: LoggedEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }

  /** Until it has stored more. Returns how long that took, ms. */
  async untilNextByte(longestMs: number): Promise<number> {
    const [sinceMs, before] = [this.clock.now(), this.server.stored]
    while (this.server.stored <= before && this.clock.now() - sinceMs < longestMs) await this.clock.run(100)
    return this.clock.now() - sinceMs
  }

  expectQuiet(): void {
    expect([this.clock.timers, this.server.inFlight, this.source.isClosed]).toEqual([0, 0, true])
  }
}

test('a healthy path gets one PATCH, no second question, and nothing is left running', async () => {
  const world = new PlainWorld()
  await world.clock.settle(world.engine.start())
  expect([world.count('session'), world.count('reconnect'), world.server.probes]).toEqual([1, 0, 1])
  expect(world.server.receivedBytes).toBe(SIZE)
  expect(world.events.at(-1)).toMatchObject({ type: 'uploaded', url: `${world.server.endpoint}/1` })
  world.expectQuiet()
})

test('a connection that falls silent while the server lives is replaced, and only what did not arrive is sent again', async () => {
  const world = new PlainWorld()
  const done = world.engine.start()
  await world.clock.run(8_000)
  world.server.stallConnections()
  expect(await world.untilNextByte(60_000)).toBeLessThan(5_000)
  await world.clock.settle(done)
  expect([world.count('reconnect'), world.server.creations]).toEqual([1, 1])
  expect(world.server.receivedBytes).toBe(SIZE)
})

interface Absence {
  readonly what: 'isPathDead' | 'isAway'
  readonly at: readonly [minMs: number, maxMs: number]
  readonly lasts: readonly [minMs: number, maxMs: number]
  /** The next byte comes so soon after its end. */
  readonly withinMs: number
}

test.each<[what: string, Absence]>([
  ['any outage of its path', { what: 'isPathDead', at: [3_000, 12_000], lasts: [500, 60_000], withinMs: RETURN_MS }],
  ['an outage of seconds', { what: 'isPathDead', at: [3_000, 9_000], lasts: [5_000, 15_000], withinMs: 1_500 }],
  ['any absence of its server', { what: 'isAway', at: [100, 12_000], lasts: [500, 60_000], withinMs: RETURN_MS }],
])('after %s the next byte comes soon, and nothing is begun twice', async (_, { what, at, lasts, withinMs }) => {
  const within = ([min, max]: readonly [number, number]) => fc.integer({ min, max })
  await fc.assert(
    fc.asyncProperty(within(at), within(lasts), async (atMs, lastsMs) => {
      const world = new PlainWorld()
      const done = world.engine.start()
      await world.clock.run(atMs)
      world.server[what] = true
      await world.clock.run(lastsMs)
      world.server[what] = false
      expect(await world.untilNextByte(60_000)).toBeLessThanOrEqual(withinMs)
      await world.clock.settle(done)
      expect([world.server.receivedBytes, world.server.creations]).toEqual([SIZE, 1])
    }),
    { numRuns: 5 },
  )
})

test('of a path that comes and goes the next byte comes within 3 s of each return', async () => {
  const turn = fc.record({ dead: fc.integer({ min: 100, max: 30_000 }), alive: fc.integer({ min: 3_100, max: 5_000 }) })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 100, max: 6_000 }),
      fc.array(turn, { minLength: 2, maxLength: 3 }),
      async (at, turns) => {
        const world = new PlainWorld()
        const done = world.engine.start()
        await world.clock.run(at)
        for (const { dead, alive } of turns) {
          if (world.server.stored === SIZE) break
          world.server.isPathDead = true
          await world.clock.run(dead)
          world.server.isPathDead = false
          const tookMs = await world.untilNextByte(alive)
          expect(tookMs).toBeLessThanOrEqual(RETURN_MS)
          await world.clock.run(alive - tookMs)
        }
        await world.clock.settle(done)
        expect([world.server.receivedBytes, world.server.creations]).toEqual([SIZE, 1])
      },
    ),
    { numRuns: 5 },
  )
})

test('a question that the path has swallowed is asked again when the path is back, sooner than its time is over', async () => {
  const world = new PlainWorld()
  const done = world.engine.start()
  await world.clock.run(5_000)
  world.server.isAway = true
  const off = world.engine.on('event', ({ type }) => {
    if (type !== 'cut') return
    off()
    // what has arrived is asked at once, and TCP asks for a connection after 1, 3 and 7 s
    Object.assign(world.server, { isAway: false, isPathDead: true })
  })
  await world.clock.run(3_200)
  expect(world.server.isPathDead).toBe(true)
  world.server.isPathDead = false
  expect(await world.untilNextByte(60_000)).toBeLessThan(2_400)
  await world.clock.settle(done)
  expect([world.server.receivedBytes, world.server.creations]).toEqual([SIZE, 1])
})

test('a path that crawls is never given up', async () => {
  const world = new PlainWorld({ sizeBytes: 3 * MB })
  world.server.bytesPerSecond = 10_000
  await world.clock.settle(world.engine.start(), 1_200_000)
  expect(world.count('reconnect')).toBe(0)
})

test('nor is one that lets the small go first while buffers tell of every 30 to 100 kB', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2_000, max: 6_000 }),
      fc.integer({ min: 30_000, max: 100_000 }),
      fc.integer({ min: 20_000, max: 1_000_000 }),
      async (bytesPerSecond, buffered, sizeBytes) => {
        const world = new PlainWorld({ sizeBytes })
        Object.assign(world.server, { bytesPerSecond, aheadBytes: buffered, leastToldBytes: buffered / 3 })
        await world.clock.settle(world.engine.start(), 1_200_000)
        expect([world.count('reconnect'), world.server.receivedBytes]).toEqual([0, sizeBytes])
      },
    ),
    { numRuns: 10 },
  )
})

test('a first connection that dies at once beside a server that answers is given up within two minutes', async () => {
  const world = new PlainWorld({ sizeBytes: MB })
  const done = world.engine.start()
  await world.clock.run(300)
  world.server.stallConnections()
  expect(await world.untilNextByte(300_000)).toBeLessThan(122_000)
  await world.clock.settle(done)
  expect([world.server.receivedBytes, world.server.creations]).toEqual([MB, 1])
})

test('a creation that a slow link holds up is not asked for twice', async () => {
  const world = new PlainWorld({ sizeBytes: MB })
  const done = world.engine.start()
  await world.clock.run(20)
  // the first question is on its way
  world.server.roundTripMs = 30_000
  await world.clock.run(30_100)
  expect(world.server.creations).toBe(1)
  world.server.roundTripMs = 40
  await world.clock.settle(done)
  expect([world.server.asked, world.server.creations]).toEqual([1, 1])
})

test('one that a connection has lost is asked for again within seconds', async () => {
  const world = new PlainWorld({ sizeBytes: MB })
  const done = world.engine.start()
  await world.clock.run(20)
  world.server.roundTripMs = 1e9
  await world.clock.run(1_000)
  world.server.roundTripMs = 40
  expect(await world.untilNextByte(60_000)).toBeLessThan(7_000)
  await world.clock.settle(done)
  expect([world.server.asked, world.server.creations]).toEqual([2, 1])
})

test('a pause of the user stops it, is no silence, and it goes on where it was', async () => {
  const world = new PlainWorld()
  const done = world.engine.start()
  await world.clock.run(8_000)
  await world.clock.settle(world.engine.pause())
  const stored = world.server.stored
  await world.clock.run(120_000)
  expect([world.server.stored, world.clock.timers]).toEqual([stored, 0])
  await world.engine.resume()
  await world.clock.settle(done)
  expect([world.server.receivedBytes, world.count('reconnect'), world.server.probes]).toEqual([SIZE, 0, 1])
  expect(world.events).toContainEqual(expect.objectContaining({ type: 'localPause', gapMs: 120_000 }))
})

test('a server that stays away is given up after giveUpAfter, and another start goes on', async () => {
  const world = new PlainWorld({ options: { giveUpAfter: 40 } })
  const started = outcomeOf(world.engine.start())
  await world.clock.run(8_000)
  world.server.isAway = true
  expect(await world.clock.settle(started)).toBe('gave-up')
  expect(world.clock.now()).toBeLessThan(8_000 + 40_000 + RETURN_MS)
  world.expectQuiet()
  world.server.isAway = false
  await world.clock.settle(world.engine.start())
  expect([world.server.receivedBytes, world.server.creations]).toEqual([SIZE, 1])
})
