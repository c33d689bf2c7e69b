import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { expect, test } from 'vitest'
import { type Fault, type FaultKind, faultAt, planFaults } from './faults.js'
import { LinkTrace } from './link-trace.js'
import { observeRun } from './observed-run.js'
import { nextRetransmissionMs, type SimulatedSession } from './simulated-session.js'
import { syntheticLinks } from './synthetic-links.js'
import { type Client, World, type WorldOptions } from './world.js'

/** Writes down what a client sees. */
class Witness implements Client {
  readonly acknowledgedBytes = new Map<SimulatedSession, number>()
  readonly timesMs: number[] = []
  readonly answered: number[] = []
  readonly lost: number[] = []
  probing: readonly number[] = []

  launched(session: SimulatedSession, nowMs: number): void {
    this.acknowledgedBytes.set(session, 0)
    this.timesMs.push(nowMs)
  }
  acknowledged(session: SimulatedSession, bytes: number, nowMs: number): void {
    this.acknowledgedBytes.set(session, (this.acknowledgedBytes.get(session) ?? Number.NaN) + bytes)
    this.timesMs.push(nowMs)
  }
  ended(_: SimulatedSession, nowMs: number): void {
    this.timesMs.push(nowMs)
  }
  roundTrip(_: number, __: number, nowMs: number): void {
    this.timesMs.push(nowMs)
  }
  heard(store: number): void {
    this.answered.push(store)
  }
  probeLost(store: number): void {
    this.lost.push(store)
  }
  ticked(nowMs: number): readonly number[] {
    this.timesMs.push(nowMs)
    return this.probing
  }
}

const steady = new LinkTrace('steady', [{ durationMs: 1_000, mbps: 8 }])
const [, lte, outages] = syntheticLinks(seededRandom('links'))

function play(o: Partial<WorldOptions>, witness = new Witness()): { world: World; witness: Witness } {
  const random = seededRandom('world')
  const world = new World(
    { trace: steady, offsetMs: 0, stores: 3, faults: [], durationMs: 60_000, random, ...o },
    witness,
  )
  return { world: world.run(), witness }
}

const fault = (kind: FaultKind, fromMs: number, untilMs: number): Fault => ({ store: 0, kind, fromMs, untilMs })
const touched = ({ world }: { world: World }) => world.sessions.filter(({ faultAtMs }) => faultAtMs !== undefined)

test('a spare mirror is heard and answers what it is asked, carries nothing and takes nothing from the others', () => {
  const asking = new Witness()
  asking.probing = [3]
  const { witness, world } = play({ hasSpare: true }, asking)
  expect(witness.answered.filter((store) => store === 3).length).toBeGreaterThan(12)
  expect(world.sessions.filter(({ store }) => store === 3)).toEqual([])
  const without = play({})
  expect(without.witness.answered).not.toContain(3)
  expect(world.lastMile.deliveredBytes).toBe(without.world.lastMile.deliveredBytes)
})

test('no byte is made or lost: what is acknowledged was delivered, and no more than the link could carry', () => {
  for (const trace of [steady, lte, outages]) {
    if (!trace) throw new Error('a link is missing')
    const { world, witness } = play({ trace, faults: [fault('storeStall', 20_000, 30_000)] })
    const delivered = world.sessions.reduce((sum, session) => sum + session.deliveredBytes, 0)
    expect(delivered).toBeCloseTo(world.lastMile.deliveredBytes, 0)
    const lastMs = Math.max(...world.sessions.map(({ endedMs }) => endedMs ?? 0))
    let capacity = 0
    for (let atMs = 0; atMs <= lastMs; atMs += 50) capacity += trace.bytesPerMsAt(atMs) * 50
    expect(delivered).toBeLessThanOrEqual(capacity)
    for (const session of world.sessions) {
      expect(witness.acknowledgedBytes.get(session)).toBe(session.ackedBytes)
      if (session.end === 'completed') expect(session.ackedBytes).toBe(session.bytes)
      else expect(session.ackedBytes).toBeLessThan(session.bytes)
    }
  }
})

test('a client is told everything in the order in which it happens', () => {
  const { witness } = play({ faults: [fault('killed', 20_000, 30_000)] })
  expect(witness.timesMs).toEqual(witness.timesMs.toSorted((a, b) => a - b))
})

test('on a steady link without faults every session takes about its plan', () => {
  const { world } = play({})
  expect(world.sessions.length).toBeGreaterThan(20)
  expect(world.sessions.filter(({ failed }) => failed)).toEqual([])
})

test('a stuck connection fails after 30 s of silence, and only that one', () => {
  const [stuck, ...more] = touched(play({ faults: [fault('connectionStall', 20_000, 20_050)] }))
  expect(more).toEqual([])
  expect(stuck).toMatchObject({ end: 'failed', faultAtMs: 20_000 })
  expect((stuck?.endedMs ?? 0) - (stuck?.lastMovedMs ?? 0)).toBe(30_000)
})

test('a stalled store goes on where it stood', () => {
  const [stalled] = touched(play({ faults: [fault('storeStall', 20_000, 32_000)] }))
  expect(stalled).toMatchObject({ end: 'completed', failed: true })
  expect(stalled?.endedMs).toBeGreaterThan(32_000)
})

test('a slow store moves at a tenth of the plan', () => {
  const struck = touched(play({ faults: [fault('slow', 20_000, 200_000)] }))
  const slow = struck.find(({ startedMs }) => startedMs > 20_000)
  const tookMs = (slow?.endedMs ?? 0) - (slow?.startedMs ?? 0)
  expect(slow).toMatchObject({ end: 'completed', failed: true })
  expect(tookMs).toBeGreaterThan(49_000)
  expect(tookMs).toBeLessThan(51_000)
})

test('a killed store ends its session at once, and refuses others until it is back', () => {
  const struck = touched(play({ faults: [fault('killed', 20_000, 30_000)] }))
  expect(struck.length).toBeGreaterThan(2)
  expect(struck.map(({ end }) => end)).toEqual(struck.map(() => 'failed'))
  expect(struck[0]?.endedMs).toBe(20_000)
})

test('probes are answered by stores that live, and lost at the others', () => {
  const witness = new Witness()
  witness.probing = [0, 1]
  play({ faults: [fault('unreachable', 0, 60_000)], durationMs: 20_000 }, witness)
  expect(new Set(witness.lost)).toEqual(new Set([0]))
  expect(witness.answered).toContain(1)
  expect(witness.answered).not.toContain(0)
})

test('after a long outage a connection waits for the next of its doubling tries', () => {
  expect(nextRetransmissionMs(1_000, 1_000, 300)).toBe(1_000)
  expect(nextRetransmissionMs(1_000, 1_001, 300)).toBe(1_300)
  expect(nextRetransmissionMs(1_000, 3_200, 300)).toBe(5_500)
})

test('planned faults lie in the run, one after the other, two stores at once at most', () => {
  const faults = planFaults({ random: seededRandom('faults'), stores: 3, durationMs: 1e7 })
  expect(faults.length).toBeGreaterThan(80)
  expect(new Set(faults.map(({ kind }) => kind)).size).toBe(6)
  for (const one of faults) {
    expect(one.untilMs).toBeGreaterThan(one.fromMs)
    expect(
      faults.filter(({ fromMs, untilMs }) => fromMs <= one.fromMs && one.fromMs < untilMs).length,
    ).toBeLessThanOrEqual(2)
    expect(faultAt(faults, one.store, one.fromMs)).toBe(one)
    expect(faultAt(faults, one.store, one.untilMs)).not.toBe(one)
  }
  expect(faults.some((one) => faults.some((other) => other !== one && other.fromMs === one.fromMs))).toBe(true)
})

test('the same seed gives the same predictions, another one others', () => {
  const observe = (seed: string) => {
    const random = seededRandom(seed)
    const faults = planFaults({ random, stores: 2, durationMs: 60_000 })
    const { sessions } = observeRun({
      trace: steady,
      run: 0,
      offsetMs: 0,
      stores: 2,
      faults,
      durationMs: 60_000,
      random,
    })
    return sessions.map(({ checks }) => checks.map(({ scores }) => scores.risk))
  }
  expect(observe('a')).toEqual(observe('a'))
  expect(observe('a')).not.toEqual(observe('b'))
})

test('a recorded link wraps at its end, and one without a segment is none', () => {
  const trace = new LinkTrace('x', [
    { durationMs: 100, mbps: 8 },
    { durationMs: 300, mbps: 0 },
  ])
  expect([0, 99, 100, 399, 400, 510].map((atMs) => trace.bytesPerMsAt(atMs))).toEqual([1_000, 1_000, 0, 0, 1_000, 0])
  expect(trace.meanBytesPerMs).toBe(250)
  expect(() => new LinkTrace('x', [])).toThrow('no segment')
})
