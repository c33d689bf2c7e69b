import { expect, test } from 'vitest'
import { TransferRig } from '../../testing/transfer-rig.js'
import { PathGauge } from './path-gauge.js'

function gauged(...roundTrips: number[]): { rig: TransferRig; gauge: PathGauge } {
  const rig = new TransferRig()
  const gauge = new PathGauge(rig.context)
  for (const roundTripMs of roundTrips) gauge.note('s0', roundTripMs)
  return { rig, gauge }
}

test('a path whose round trips are far over the shortest has a standing queue', () => {
  expect(gauged(40, 41, 45).gauge.isFull('s0')).toBe(false)
  expect(gauged(40, 120, 130, 140).gauge.isFull('s0')).toBe(true)
})

test('one round trip that was lost and sent again is no queue', () => {
  expect(gauged(40, 41, 340).gauge.isFull('s0')).toBe(false)
})

test('a single round trip, or old ones, say nothing', async () => {
  expect(gauged(40).gauge.isFull('s0')).toBeUndefined()
  const { rig, gauge } = gauged(40, 41, 42)
  await rig.clock.run(4_000)
  expect(gauge.isFull('s0')).toBeUndefined()
})

test('a queue is remembered for ten seconds, as a full path is not asked all the time, or until it is known to be gone', async () => {
  const { rig, gauge } = gauged(40, 120, 130, 140)
  await rig.clock.run(10_000)
  expect([gauge.isFull('s0'), gauge.wasFull('s0')]).toEqual([undefined, true])
  await rig.clock.run(1)
  expect(gauge.wasFull('s0')).toBe(false)
  for (const roundTripMs of [120, 130, 41, 42]) gauge.note('s0', roundTripMs)
  expect([gauge.isFull('s0'), gauge.wasFull('s0')]).toEqual([false, false])
  expect(gauged(40).gauge.wasFull('s0')).toBe(false)
})

/** Each is answered after 200 ms. */
function countProbes(rig: TransferRig): () => number {
  let asked = 0
  rig.port().onProbe = async () => {
    asked += 1
    await new Promise<void>((resolve) => rig.clock.after(200, resolve))
    return { kind: 'reconcile', storeId: 's0', limit: {}, extensions: [] }
  }
  return () => asked
}

test('a store is asked one question at a time, less often while its path is full', async () => {
  const { rig, gauge } = gauged(1, 1)
  const asked = countProbes(rig)
  for (let i = 0; i < 160; i++) {
    gauge.ask(rig.store())
    await rig.clock.run(250)
  }
  expect(asked()).toBeGreaterThan(4)
  expect(asked()).toBeLessThan(12)
})

test('with urgency a store is asked as often as if its path were free', async () => {
  const { rig, gauge } = gauged(1, 1)
  const asked = countProbes(rig)
  await rig.clock.run(4_000)
  for (let i = 0; i < 40; i++) {
    gauge.ask(rig.store(), { isUrgent: true })
    await rig.clock.run(250)
  }
  expect(asked()).toBeGreaterThan(15)
})

test('a path is surely free only where a round trip was clearly shorter than the probe, which opens its connection', () => {
  const { rig, gauge } = gauged(80, 82)
  expect(gauge.isSurelyFree('s0')).toBe(true)
  Object.assign(rig.route(), { probeMs: 90 })
  expect(gauge.isFull('s0')).toBe(false)
  expect(gauge.isSurelyFree('s0')).toBe(false)
  Object.assign(rig.route(), { probeMs: 160 })
  expect(gauge.isSurelyFree('s0')).toBe(true)
})
