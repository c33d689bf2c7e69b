import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { strictLog } from '../../testing/strict-log.js'
import { UploadWorld } from '../../testing/upload-world.js'
import { Progress } from './progress.js'

function reported(totalBytes: number, reports: number[]): number[] {
  const clock = new SimulatedClock()
  const { log, events } = strictLog(clock)
  const progress = new Progress({ log, clock, totalBytes })
  for (const ackedBytes of reports) progress.report(ackedBytes)
  return events.flatMap((event) => {
    if (event.type !== 'progress') return []
    expect(event.totalBytes).toBe(totalBytes)
    return [event.ackedBytes]
  })
}

test('progress rises with every report and never exceeds the file', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat()), (totalBytes, reports) => {
      const said = reported(totalBytes, reports)
      for (const [i, bytes] of said.entries()) {
        expect(bytes).toBeGreaterThan(said[i - 1] ?? 0)
        expect(bytes).toBeLessThanOrEqual(totalBytes)
      }
      expect(said.at(-1) ?? 0).toBe(Math.min(totalBytes, Math.max(0, ...reports)))
    }),
  )
})

test('what a store lost is not taken back, and what it has again is not said twice', () => {
  expect(reported(100, [10, 60, 30, 60, 61, 61])).toEqual([10, 60, 61])
})

test('nothing is said of nothing', () => {
  expect(reported(100, [0, -5])).toEqual([])
})

/** Acknowledges `rate` bytes each second. */
async function steadily(o: { clock: SimulatedClock; progress: Progress; from: number; rate: number; seconds: number }) {
  for (let i = 1; i <= o.seconds; i++) {
    await o.clock.run(1_000)
    o.progress.report(o.from + i * o.rate)
  }
}

test('speed and the time that is left are told with it, after two seconds', async () => {
  const clock = new SimulatedClock()
  const progress = new Progress({ log: strictLog(clock).log, clock, totalBytes: 100_000 })
  await steadily({ clock, progress, from: 0, rate: 5_000, seconds: 1 })
  expect(progress.latest).toMatchObject({ ackedBytes: 5_000, bytesPerSecond: null, remainingMs: null })
  await steadily({ clock, progress, from: 5_000, rate: 5_000, seconds: 9 })
  const { bytesPerSecond, remainingMs } = progress.latest
  expect(bytesPerSecond).toBe(5_000)
  expect(remainingMs?.least).toBeLessThan(10_000)
  expect(remainingMs?.most).toBeGreaterThan(10_000)
  await steadily({ clock, progress, from: 50_000, rate: 5_000, seconds: 10 })
  expect(progress.latest).toMatchObject({ ackedBytes: 100_000, remainingMs: { least: 0, most: 0 } })
})

test('a pause does not slow it, and what a server had already does not speed it up', async () => {
  const clock = new SimulatedClock()
  const progress = new Progress({ log: strictLog(clock).log, clock, totalBytes: 10_000_000 })
  await steadily({ clock, progress, from: 0, rate: 5_000, seconds: 10 })
  await clock.run(3_600_000)
  progress.rest(5_000_000)
  await steadily({ clock, progress, from: 5_000_000, rate: 5_000, seconds: 5 })
  expect(progress.latest.bytesPerSecond).toBe(5_000)
})

test('over paths that change while files upload, progress rises to the whole file and no further, and most ends come as told', async () => {
  const within: boolean[] = []
  for (let seed = 1; seed <= 4; seed++) {
    const random = seededRandom(seed)
    const world = new UploadWorld({ stores: 1 + (seed % 3), blocks: 60 })
    const rates = world.ports.map(() => 1_000_000 * Math.exp(random()))
    const change = () => {
      for (const [i, port] of world.ports.entries()) port.upBytesPerSecond = (rates[i] ?? 1) * (0.5 + random())
      world.clock.after(1_000, change)
    }
    change()
    await world.clock.settle(world.engine.start())
    world.expectWhole()
    const told = world.events.flatMap((event) => (event.type === 'progress' ? [event] : []))
    for (const [i, { ackedBytes }] of told.entries()) {
      expect(ackedBytes).toBeGreaterThan(told[i - 1]?.ackedBytes ?? 0)
      expect(ackedBytes).toBeLessThanOrEqual(world.source.sizeBytes)
    }
    const last = told.at(-1)
    expect(last).toMatchObject({ ackedBytes: world.source.sizeBytes })
    for (const share of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      const event = told.find(({ ackedBytes }) => ackedBytes >= share * world.source.sizeBytes)
      const leftMs = (last?.elapsedMs ?? 0) - (event?.elapsedMs ?? 0)
      const { least, most } = event?.remainingMs ?? {}
      if (least !== undefined && most !== undefined) within.push(leftMs >= least && leftMs <= most)
    }
  }
  expect(within.length).toBeGreaterThan(9)
  expect(within.filter(Boolean).length / within.length).toBeGreaterThan(0.7)
})

/** The same numbers at each run (an LCG of Numerical Recipes). */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
