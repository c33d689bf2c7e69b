import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expectReplayed } from '../../testing/replayed.js'
import { UploadWorld } from '../../testing/upload-world.js'

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
  readonly #world: UploadWorld
  #stop = new AbortController()
  #done: Promise<unknown>

  constructor(world: UploadWorld) {
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

async function apply(world: UploadWorld, run: Run, one: Fault): Promise<void> {
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
      const world = new UploadWorld({ stores: 3, blocks: 16 })
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
      expectReplayed(world.engine.toNdjson())
      await world.expectQuiet()
    }),
    { numRuns: 6 },
  )
}, 180_000)
