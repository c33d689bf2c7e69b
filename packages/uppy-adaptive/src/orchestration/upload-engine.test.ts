import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { MemoryPort } from '../testing/memory-port.js'
import { MemorySource, sha256 } from '../testing/memory-source.js'
import { MemoryGroup } from '../testing/memory-store.js'
import { everythingDone, SimulatedClock } from '../testing/simulated-clock.js'
import { OrderedRandomness } from '../testing/transfer-rig.js'
import type { LoggedEvent } from './event-log.js'
import { resolveOptions } from './options.js'
import { UploadEngine } from './upload-engine.js'
import type { UploadError } from './upload-error.js'

const B = BLOCK_SIZE

/** One file, the stores of its group in memory, and a clock in the test's hand. */
class World {
  readonly clock = new SimulatedClock()
  readonly source: MemorySource
  readonly group: MemoryGroup
  readonly ports: MemoryPort[]
  readonly events: LoggedEvent[] = []
  readonly engine: UploadEngine

  constructor(o: { stores?: number; blocks?: number; giveUpAfter?: number } = {}) {
    this.source = new MemorySource((o.blocks ?? 40) * B)
    this.group = new MemoryGroup({ stores: o.stores ?? 1, sizeBytes: this.source.sizeBytes })
    this.ports = this.group.stores.map((store) => new MemoryPort(store, this.clock))
    const [endpoint = '', ...mirrors] = this.ports.map((port) => port.endpoint)
    const options = resolveOptions({ endpoint, mirrors, giveUpAfter: o.giveUpAfter ?? 600 })
    const host = {
      ...{ clock: this.clock, randomness: new OrderedRandomness(), digester: sha256, journal: undefined },
      reportError: (error: unknown) => {
        throw error
      },
      openSource: async () => this.source,
      createPort: (_endpoint: string, server: number) => this.ports[server] ?? new MemoryPort(this.home, this.clock),
      uploadPlain: () => Promise.reject(new Error('no plain server is here')),
      terminatePlain: async () => {},
    }
    this.engine = new UploadEngine(host, options)
    this.engine.on('event', (event) => this.events.push(event))
  }

  get home() {
    const [home] = this.group.stores
    if (!home) throw new Error('no store')
    return home
  }

  get receivedBytes(): number {
    return this.group.stores.reduce((sum, store) => sum + store.receivedBytes, 0)
  }

  expectWhole(): void {
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    expect(this.group.state).toBe('committed')
    expect(digest(this.group.file)).toBe(digest(this.source.bytes))
  }

  /** Nothing waits, nothing is open. */
  async expectQuiet(): Promise<void> {
    await everythingDone()
    expect(this.clock.timers).toBe(0)
    expect(this.group.stores.map((store) => store.listeners.size)).toEqual(this.group.stores.map(() => 0))
    expect(this.source.isClosed).toBe(true)
  }
}

/** What a start comes to, without an unhandled rejection meanwhile. */
function outcomeOf(started: Promise<unknown>): Promise<unknown> {
  return started.catch((error: UploadError) => error.code)
}

for (const stores of [1, 3]) {
  test(`a file goes to ${stores} store(s), no byte twice, and nothing is left running`, async () => {
    const world = new World({ stores })
    const result = await world.clock.settle(world.engine.start())
    world.expectWhole()
    expect(world.receivedBytes).toBe(world.source.sizeBytes)
    expect(result).toMatchObject({ size: world.source.sizeBytes, url: expect.stringContaining('http://s0.test/') })
    expect(world.engine.state).toBe('done')
    await world.expectQuiet()
  })
}

test('an empty file is one creation and a commit', async () => {
  const world = new World({ blocks: 0 })
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  await world.expectQuiet()
})

test('answers that are lost after the server acted cost no byte', async () => {
  const world = new World({ stores: 2 })
  for (const port of world.ports) port.losesAnswers = 3
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  expect(world.receivedBytes).toBe(world.source.sizeBytes)
  expect(world.events.filter((event) => event.type === 'cut')).toHaveLength(6)
})

test('a store that falls silent for good does not keep the file', async () => {
  const world = new World({ stores: 3, blocks: 80 })
  const done = world.engine.start()
  await world.clock.run(1_500)
  for (const port of world.ports.slice(1, 2)) port.isSilent = true
  await world.clock.settle(done, 60_000)
  world.expectWhole()
})

test('while it is paused nothing is sent; afterwards no whole block that arrived is sent again', async () => {
  const world = new World({ stores: 2 })
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

test('paused before it starts, it sends nothing until it is resumed', async () => {
  const world = new World()
  await world.engine.pause()
  const done = world.engine.start()
  await world.clock.run(10_000)
  expect([world.receivedBytes, world.engine.state]).toEqual([0, 'paused'])
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
})

test('paused before any server has heard of it, it goes on as if it began', async () => {
  const world = new World()
  const done = world.engine.start()
  await world.clock.run(45)
  await world.clock.settle(world.engine.pause())
  expect(world.receivedBytes).toBe(0)
  await world.engine.resume()
  await world.clock.settle(done)
  world.expectWhole()
})

test('without any event stream, as behind a proxy that holds it back, it comes to its end all the same', async () => {
  const world = new World({ stores: 2, blocks: 80 })
  for (const port of world.ports) port.holdsEvents = true
  await world.clock.settle(world.engine.start(), 60_000)
  world.expectWhole()
  expect(world.receivedBytes).toBe(world.source.sizeBytes)
})

test('an abort ends an upload that is paused, and a second start goes on with it', async () => {
  const world = new World()
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
    [world.group.id, false],
    [world.group.id, true],
  ])
  expect(world.receivedBytes).toBeLessThanOrEqual(world.source.sizeBytes + 2 * B)
})

test('a cancel ends the group everywhere before it settles, whether it runs, pauses or was aborted', async () => {
  for (const before of ['running', 'paused', 'aborted'] as const) {
    const world = new World({ stores: 2 })
    const stop = new AbortController()
    const started = outcomeOf(world.engine.start({ signal: stop.signal }))
    await world.clock.run(1_000)
    if (before === 'paused') await world.clock.settle(world.engine.pause())
    if (before === 'aborted') {
      stop.abort()
      await world.clock.settle(started)
    }
    await world.clock.settle(world.engine.cancel())
    expect(world.group.state).toBe('terminated')
    expect(await started).toBe(before === 'aborted' ? 'aborted' : 'cancelled')
    await world.expectQuiet()
  }
})

test('a cancelled upload does not start again', async () => {
  const world = new World()
  await world.clock.settle(world.engine.cancel())
  expect(await outcomeOf(world.engine.start())).toBe('cancelled')
  await world.clock.run(10_000)
  expect(world.receivedBytes).toBe(0)
})

test('a cancel that no server hears says so and ends all the same', async () => {
  const world = new World()
  const started = outcomeOf(world.engine.start())
  await world.clock.run(1_000)
  for (const port of world.ports) port.isSilent = true
  await world.clock.settle(world.engine.cancel())
  expect(await started).toBe('cancelled')
  expect(world.events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'cancel-incomplete' }))
  await world.expectQuiet()
})

test('it is given up when all servers are silent for so long, and another start goes on', async () => {
  const world = new World({ stores: 2, giveUpAfter: 60 })
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
  const world = new World({ stores: 2, giveUpAfter: 60 })
  const done = world.engine.start()
  for (let naps = 0; naps < 3; naps++) {
    await world.clock.run(500)
    world.clock.advance(3 * 3_600_000)
  }
  await world.clock.settle(done)
  world.expectWhole()
  expect(world.events.filter((event) => event.type === 'localPause').length).toBeGreaterThanOrEqual(1)
})

/** One thing that goes wrong, or right again. */
const fault = fc.oneof(
  fc.record({ kind: fc.constant('silence' as const), store: fc.nat(2), on: fc.boolean() }),
  fc.record({ kind: fc.constant('lostAnswers' as const), store: fc.nat(2), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('slow' as const), store: fc.nat(2), share: fc.constantFrom(0.05, 0.3, 1) }),
  fc.record({ kind: fc.constant('sleep' as const), ms: fc.integer({ min: 2_000, max: 3_600_000 }) }),
  fc.constant({ kind: 'pause' as const }),
  fc.constant({ kind: 'restart' as const }),
)

type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never

/** One upload, stopped and started as the faults want it. */
class Run {
  readonly #world: World
  #stop = new AbortController()
  #done: Promise<unknown>

  constructor(world: World) {
    this.#world = world
    this.#done = this.#start()
  }

  get done(): Promise<unknown> {
    return this.#done
  }

  /** An upload that is done already stays so. */
  async restart(): Promise<void> {
    this.#stop.abort()
    await this.#world.clock.settle(this.#done.catch(() => {}))
    this.#stop = new AbortController()
    this.#done = this.#start()
  }

  #start(): Promise<unknown> {
    const done = this.#world.engine.start({ signal: this.#stop.signal })
    done.catch(() => {})
    return done
  }
}

async function apply(world: World, run: Run, one: Fault): Promise<void> {
  if (one.kind === 'sleep') return world.clock.advance(one.ms)
  if (one.kind === 'restart') return run.restart()
  if (one.kind === 'pause') {
    await world.clock.settle(world.engine.pause())
    await world.clock.run(1_000)
    return world.engine.resume()
  }
  const port = world.ports[one.store]
  if (!port) return
  if (one.kind === 'silence') port.isSilent = one.on
  if (one.kind === 'lostAnswers') port.losesAnswers += one.count
  if (one.kind === 'slow') port.upBytesPerSecond = 2_000_000 * one.share
}

test('whatever goes wrong for a while, the file is whole in the end and nothing is left running', async () => {
  const schedule = fc.array(fc.tuple(fc.integer({ min: 50, max: 2_000 }), fault), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(schedule, async (faults) => {
      const world = new World({ stores: 3, blocks: 40 })
      const run = new Run(world)
      for (const [afterMs, one] of faults) {
        await world.clock.run(afterMs)
        await apply(world, run, one)
      }
      for (const port of world.ports) port.isSilent = false
      await world.clock.settle(run.done, 600_000)
      world.expectWhole()
      const progress = world.events.flatMap((event) => (event.type === 'progress' ? [event.ackedBytes] : []))
      expect(progress).toEqual([...progress].sort((a, b) => a - b))
      expect(progress.at(-1)).toBe(world.source.sizeBytes)
      await world.expectQuiet()
    }),
    { numRuns: 10 },
  )
}, 120_000)
