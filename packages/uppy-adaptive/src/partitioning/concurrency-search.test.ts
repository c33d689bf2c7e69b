import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ConcurrencyChange, FlowSample } from './concurrency-search.js'
import { ConcurrencySearch } from './concurrency-search.js'

const TICK_MS = 250
const MB = 1_000_000

/** A path on which a rate follows from the number of sessions, looked at four times a second. */
class Path {
  readonly search: ConcurrencySearch
  readonly changes: ConcurrencyChange[] = []
  nowMs = 0
  #ackedBytes = 0
  #tick = 0

  constructor(max = 8) {
    this.search = new ConcurrencySearch(max)
  }

  /** @param rateOf bytes per second of so many sessions, at the tick of that number */
  run(ms: number, rateOf: (sessions: number, tick: number) => number, facts: Partial<FlowSample> = {}): this {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.#tick += 1
      this.nowMs += TICK_MS
      this.#ackedBytes += (rateOf(this.search.limit, this.#tick) * TICK_MS) / 1000
      const sample = {
        ...{
          nowMs: this.nowMs,
          ackedBytes: this.#ackedBytes,
          sending: this.search.limit,
          room: 8,
          hosts: 1,
          hasSmallWindows: false,
        },
        ...{ isFull: false, isQuiet: !facts.isFull, requestRttMs: 40, minRequestRttMs: 40, ...facts },
      }
      const change = this.search.observe(sample)
      if (change) this.changes.push(change)
    }
    return this
  }

  get steps(): string[] {
    return this.changes.map(({ kind, limit, reason }) => `${kind} ${limit} ${reason}`)
  }
}

const window = { hasSmallWindows: true }
/** Each session carries a fifth of what the path does. */
const fifth = (sessions: number) => Math.min(sessions, 5) * MB
/** One session carries all. */
const whole = () => 5 * MB
/** What one session under loss carries, four times a second. */
const UNSTEADY = [0.2, 0.7, 0.35, 0.45, 0.1, 0.6, 0.9, 0.2, 0.5, 0.15, 0.8, 0.3]
const lossy = (sessions: number, tick: number) => sessions * MB * (UNSTEADY[tick % UNSTEADY.length] ?? 0)

test('where each session has a small window, four times as many are tried at once, then twice as many as long as it pays', () => {
  const path = new Path(32).run(10_000, fifth, window)
  expect(path.steps.slice(0, 4)).toEqual(['add 4 window', 'keep 4 pays', 'add 8 ramp', 'keep 8 pays'])
  expect(path.search.limit).toBeLessThan(16)
  // it has grown fivefold within three seconds
  expect(new Path().run(3_000, fifth, window).search.limit).toBeGreaterThanOrEqual(4)
})

test('streams with small windows are tried after half a second, and stay as soon as they bring more, however little', () => {
  const little = (sessions: number, tick: number) => sessions ** 0.15 * MB * (tick % 2 ? 1.05 : 0.95)
  const path = new Path().run(1_500, little, window)
  expect(path.steps.slice(0, 2)).toEqual(['add 4 window', 'keep 4 pays'])
})

test('sessions that share a connection stay where they bring half as much again, though fewer of them would', () => {
  const oneAndAHalf = (sessions: number) => Math.min(sessions, 1.5) * MB
  const path = new Path().run(10_000, oneAndAHalf, window)
  expect(path.steps.slice(0, 2)).toEqual(['add 4 window', 'keep 4 pays'])
  expect(path.search.limit).toBe(4)
})

test('a session that brings nothing is given back, and the next trial waits twice as long each time', () => {
  const path = new Path().run(60_000, whole, window)
  expect(new Set(path.steps)).toEqual(new Set(['add 4 window', 'add 2 window', 'giveBack 1 no gain']))
  const adds = path.changes.filter(({ kind }) => kind === 'add').length
  expect(adds).toBeGreaterThan(1)
  expect(adds).toBeLessThan(6)
})

test('a steady rate is tried only after a long while, an unsteady one without a queue soon', () => {
  expect(new Path().run(15_000, whole).steps).toEqual([])
  expect(new Path().run(5_000, lossy).steps[0]).toBe('add 2 unsteady')
})

test('where the path has a standing queue nothing is added, and what is not missed is given back', () => {
  expect(new Path().run(60_000, lossy, { isFull: true, room: 0 }).steps).toEqual([])
  const path = new Path().run(6_000, fifth, window).run(1_000, fifth)
  const before = path.search.limit
  path.run(60_000, whole, { isFull: true, room: 0 })
  expect(path.search.limit).toBe(1)
  expect(path.steps).toContain(`giveBack ${before - 1} full`)
})

/** Three hosts whose paths start well and then lose: a fifth of what the path has carried. */
const sinking = (sessions: number, tick: number) => Math.min(5 * MB, tick <= 6 ? 5 * MB : (sessions * MB) / 3)

test('each host has a session without a trial, and none of them is given back', () => {
  const path = new Path().run(30_000, whole, { hosts: 3, isFull: true, room: 0 })
  expect(path.search.limit).toBe(3)
  expect(path.steps).toEqual([])
  expect(path.search.limitOf(2)).toBe(2)
  expect(new ConcurrencySearch(2).limitOf(3)).toBe(2)
})

test('where the paths of several hosts have no queue and carried more before, as many are tried as would carry it', () => {
  const path = new Path(16).run(6_000, sinking, { hosts: 3 })
  expect(path.steps.slice(0, 2)).toEqual(['add 11 below', 'keep 11 pays'])
  expect(path.changes[0]?.beforeBytesPerSecond).toBe(MB)
  // a queue anywhere says that it is used well
  expect(new Path(16).run(6_000, sinking, { hosts: 3, isQuiet: false }).steps).toEqual([])
})

test('less than before has the paths asked', () => {
  const path = new Path(16).run(1_500, sinking, { hosts: 3, room: 0 })
  expect(path.search.isBelow).toBe(false)
  path.run(1_500, sinking, { hosts: 3, room: 0 })
  expect(path.search.isBelow).toBe(true)
})

test('a steady rate of several hosts without a queue is tried after seconds', () => {
  expect(new Path().run(5_000, fifth, { hosts: 2 }).steps[0]).toBe('add 4 quiet')
  expect(new Path().run(5_000, fifth, { hosts: 2, isQuiet: false }).steps).toEqual([])
})

test('a host less keeps what was found beyond one each, and drops what is being tried', () => {
  const path = new Path(11).run(6_000, sinking, { hosts: 3 })
  expect(path.search.limit).toBe(11)
  path.run(TICK_MS, sinking, { hosts: 2 })
  expect(path.search.limit).toBe(10)
  const trying = new Path().run(3_500, fifth, { hosts: 2 })
  expect(trying.steps).toEqual(['add 4 quiet'])
  trying.run(TICK_MS, fifth, { hosts: 1 })
  expect(trying.search.limit).toBe(1)
})

test('what flows while fewer send than may is no rate of theirs', () => {
  const path = new Path().run(1_250, fifth, window)
  expect(path.steps).toEqual(['add 4 window'])
  // silent for a tick, and then for one session alone: the four are no worse for it
  path
    .run(TICK_MS, fifth, window)
    .run(TICK_MS, () => 0, window)
    .run(1_250, fifth, { ...window, sending: 1 })
  path.run(2_000, fifth, window)
  expect(path.steps[1]).toBe('keep 4 pays')
})

test('a session whose loss is felt comes back', () => {
  const path = new Path(4).run(6_000, fifth, window)
  const before = path.search.limit
  path.run(30_000, fifth, { isFull: true, room: 0 })
  expect(path.steps).toContain(`restore ${before} loss`)
})

test('what is given back is missed only when it has ended', () => {
  const path = new Path(4).run(6_000, fifth, window)
  const before = path.search.limit
  // all still end what they have
  path.run(20_000, whole, { isFull: true, room: 0, sending: before })
  expect(path.steps.at(-1)).toBe(`giveBack ${before - 1} full`)
  path.run(3_000, whole, { isFull: true, room: 0 })
  expect(path.steps).toContain(`keep ${before - 1} no loss`)
})

test('acknowledgements that come in lumps are no unsteady rate', () => {
  expect(new Path().run(15_000, (_, tick) => (tick % 4 === 0 ? 4 * MB : 0)).steps).toEqual([])
})

test('when fewer send than may for a while, the number falls to theirs', () => {
  const path = new Path().run(4_000, fifth, window)
  path.run(3_000, fifth, { sending: 2, room: 0 })
  expect(path.search.limit).toBe(2)
  expect(path.steps.at(-1)).toBe('leave 2 unused')
})

test('a machine that slept compares nothing with what was before', () => {
  const path = new Path().run(1_250, fifth, window)
  expect(path.steps).toEqual(['add 4 window'])
  path.nowMs += 60_000
  path.run(TICK_MS, () => 0)
  expect(path.search.limit).toBe(1)
})

test('whatever flows, the number stays between one and the most', () => {
  const tick = fc.record({
    bytes: fc.integer({ min: 0, max: 10 * MB }),
    room: fc.integer({ min: 0, max: 9 }),
    hosts: fc.integer({ min: 0, max: 4 }),
    sending: fc.integer({ min: 0, max: 9 }),
    hasSmallWindows: fc.boolean(),
    isFull: fc.boolean(),
    isQuiet: fc.boolean(),
    requestRttMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
    minRequestRttMs: fc.double({ min: 0, max: 1_000, noNaN: true }),
    stepMs: fc.integer({ min: 0, max: 2_000 }),
  })
  fc.assert(
    fc.property(fc.array(tick, { maxLength: 80 }), fc.integer({ min: 1, max: 8 }), (ticks, max) => {
      const search = new ConcurrencySearch(max)
      let [nowMs, ackedBytes] = [0, 0]
      for (const { bytes, stepMs, ...facts } of ticks) {
        nowMs += stepMs
        ackedBytes += bytes
        const change = search.observe({ ...facts, nowMs, ackedBytes })
        expect(search.limit).toBeGreaterThanOrEqual(1)
        expect(search.limit).toBeLessThanOrEqual(max)
        if (change) expect(change.limit).toBe(search.limit)
        if (change?.kind === 'add') expect(facts.room).toBeGreaterThan(0)
      }
    }),
  )
})

test('on a long path what arrives in one round trip and not in the next is neither a level nor a loss', () => {
  // three connections that start at once, round trip by round trip, and partitions that end together
  const bursts = (_: number, tick: number) => (tick % 8 < 3 ? 5 * MB : 0.2 * MB)
  const add = (minRequestRttMs: number) =>
    new Path()
      .run(8_000, bursts, { hosts: 3, minRequestRttMs, requestRttMs: minRequestRttMs })
      .steps.filter((step) => step.endsWith('below'))
  expect(add(40)).not.toEqual([])
  expect(add(1_000)).toEqual([])
})
