import fc from 'fast-check'
import { RiskModel } from 'upload-predictor'
import { expect, test } from 'vitest'
import { expectReplayed } from '../../testing/replayed.js'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'
import type { JournalStorage } from '../ports.js'

class Texts implements JournalStorage {
  readonly texts = new Map<string, string>()
  /** Of what was learned. */
  writes = 0

  async get(key: string): Promise<string | undefined> {
    return this.texts.get(key)
  }

  async set(key: string, value: string): Promise<void> {
    if (key === 'predictor') this.writes += 1
    this.texts.set(key, value)
  }

  async delete(key: string): Promise<void> {
    this.texts.delete(key)
  }

  get entry(): { savedAt: number; state: { stores: { store: string }[] } } {
    return JSON.parse(this.texts.get('predictor') ?? '{}')
  }
}

const recalled = (world: UploadWorld) => world.events.filter((event) => event.type === 'recalled')
/** What each session was expected to reach when it began. */
const forecasts = (world: UploadWorld) =>
  world.events.flatMap((event) => (event.type === 'session' ? [event.goodputBytesPerSecond] : []))
/** The first session's assessments. */
const firstSample = (world: UploadWorld) =>
  world.events.flatMap((event) =>
    event.type === 'sample' ? event.sessions.map(({ assessment }) => assessment) : [],
  )[0]

test('what one upload learned, the next one starts with', async () => {
  const memory = new Texts()
  const first = new UploadWorld({ stores: 2, memory })
  await first.clock.settle(first.engine.start())
  await first.expectQuiet()
  expect(recalled(first)).toEqual([])
  expect(memory.entry.state.stores.map(({ store }) => store).sort()).toEqual(['s0', 's1'])
  const next = new UploadWorld({ stores: 2, memory })
  await next.clock.settle(next.engine.start())
  expect(recalled(next)).toMatchObject([{ state: { format: 'upload-predictor' } }])
  next.expectWhole()
  expectReplayed(next.engine.toNdjson())
  expect(forecasts(first)[0]).toBeNull()
  expect(forecasts(next)[0]).toBeGreaterThan(500_000)
})

test('what is kept is of stores and figures alone: no name, address, header or id of the upload', async () => {
  const memory = new Texts()
  const world = new UploadWorld({ stores: 2, memory })
  await world.clock.settle(world.engine.start())
  expect([...memory.texts.keys()].sort()).toEqual(['predictor', 'stores'])
  const text = [...memory.texts.values()].join()
  expect(text.length).toBeLessThan(3_000)
  expect(text).not.toContain('http')
  const group = world.group?.id ?? ''
  expect(group).not.toBe('')
  expect(text).not.toContain(group)
})

test('it is kept each five seconds, when the page is left, and at the end; not more often', async () => {
  const memory = new Texts()
  const world = new UploadWorld({ blocks: 200, memory })
  const done = world.engine.start()
  await world.clock.run(4_999)
  expect(memory.writes).toBe(0)
  world.page.leave()
  expect(memory.writes).toBe(1)
  await world.clock.run(10_001)
  expect(memory.writes).toBe(1 + 3)
  await world.clock.settle(done)
  const { writes } = memory
  world.page.leave()
  await world.clock.run(60_000)
  expect(memory.writes).toBe(writes)
})

test('an upload that fails has learned too', async () => {
  const memory = new Texts()
  const world = new UploadWorld({ giveUpAfter: 5, memory })
  const started = outcomeOf(world.engine.start())
  await world.clock.run(1_000)
  for (const port of world.ports) port.isSilent = true
  expect(await world.clock.settle(started)).toBe('gave-up')
  expect(memory.entry.state.stores).toHaveLength(1)
  await world.expectQuiet()
})

test('a second start goes on with what the first learned, whatever others kept meanwhile', async () => {
  const memory = new Texts()
  const world = new UploadWorld({ memory })
  const stop = new AbortController()
  const started = outcomeOf(world.engine.start({ signal: stop.signal }))
  await world.clock.run(1_000)
  stop.abort()
  await world.clock.settle(started)
  memory.texts.set('predictor', 'another page’s')
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  expect(recalled(world)).toEqual([])
  expect(memory.entry.state.stores).toHaveLength(1)
})

test('the age of what is kept is by the wall clock; one that went back makes nothing older', async () => {
  for (const [savedAt, ageMs] of [
    [-600_000, 600_000],
    [600_000, 0],
  ] as const) {
    const memory = new Texts()
    const state = new RiskModel().toJSON()
    memory.texts.set('predictor', JSON.stringify({ version: 1, savedAt, state }))
    const world = new UploadWorld({ memory })
    await world.clock.settle(world.engine.start())
    expect(recalled(world)).toMatchObject([{ ageMs }])
  }
})

test('whatever is in the storage, the upload goes on, and what is damaged is kept anew', async () => {
  const state = fc.oneof(fc.string(), fc.json(), fc.constant(new RiskModel().toJSON()))
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ version: fc.constantFrom(1, 2), savedAt: fc.double(), state }).map((entry) => JSON.stringify(entry)),
    fc.constant('"'.repeat(300_000)),
  )
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      const memory = new Texts()
      memory.texts.set('predictor', content)
      const world = new UploadWorld({ blocks: 2, memory })
      await world.clock.settle(world.engine.start())
      world.expectWhole()
      expect(memory.entry.state.stores).toHaveLength(1)
    }),
    { numRuns: 30 },
  )
})

test('a storage that fails is one warning, and the upload comes to its end', async () => {
  const memory = new Texts()
  memory.get = () => Promise.reject(new Error('locked'))
  memory.set = () => Promise.reject(new Error('full'))
  const world = new UploadWorld({ blocks: 120, memory })
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  const warnings = world.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  expect(warnings).toEqual([expect.stringContaining('locked')])
})

test('a page that is left before the memory was read does not overwrite it', async () => {
  const memory = new Texts()
  memory.get = () => new Promise(() => {})
  const world = new UploadWorld({ memory })
  void world.engine.start()
  await world.clock.run(6_000)
  world.page.leave()
  expect(memory.writes).toBe(0)
})

test('predictions start from a fitted model, which stands in the log', async () => {
  const slow = { format: 'upload-predictor-model', version: 1 }
  const part = (values: object) => ({ from: 'prior', seen: 0, needed: 1, ...values })
  const link = {
    goodBadPerSecond: 0.1,
    badGoodPerSecond: 0.1,
    goodSeconds: 0,
    badSeconds: 0,
    goodToBad: 0,
    badToGood: 0,
  }
  const count = { uploads: 1, sessions: 1, stores: 1, transferSeconds: 1, fromMs: 0, toMs: 0, fittedMs: 0, logs: [] }
  const model = {
    ...slow,
    provenance: count,
    link: part(link),
    ...{ gaps: part({ meanLog: 5, sigma: 1 }), startGaps: part({ meanLog: 5, sigma: 1 }) },
    hazard: { ...part({ failures: 3, seconds: 15 }), from: 'log' },
    ...{ completion: part({ meanLog: 0, sigma: 1 }), calibration: part({ slope: 1, intercept: 0 }) },
  }
  const fitted = new UploadWorld({ predictor: { model } })
  const plain = new UploadWorld()
  for (const world of [fitted, plain]) await world.clock.settle(world.engine.start())
  fitted.expectWhole()
  expectReplayed(fitted.engine.toNdjson())
  expect(recalled(fitted)).toMatchObject([{ state: null, priors: { hazard: { failures: 3, seconds: 15 } } }])
  expect(firstSample(fitted)?.server).toBeGreaterThan(firstSample(plain)?.server ?? 1)
})
