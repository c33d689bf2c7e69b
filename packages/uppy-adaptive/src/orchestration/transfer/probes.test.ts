import { expect, test } from 'vitest'
import { silence } from '../../testing/scripted-port.js'
import { everythingDone } from '../../testing/simulated-clock.js'
import { broken, TransferRig } from '../../testing/transfer-rig.js'
import type { Capabilities } from '../ports.js'
import { UploadError } from '../upload-error.js'

const ANSWER: Capabilities = { kind: 'reconcile', storeId: 's0', limit: {}, extensions: [] }

/** A home in suspicion, whose addresses answer as `ports` do. */
function suspected(addresses: readonly number[] = [1]): TransferRig {
  const rig = new TransferRig({ addresses })
  rig.directory.suspect('s0', 'silent', 0)
  return rig
}

test('a store in trust that nobody asks about is left alone', async () => {
  const rig = new TransferRig({ addresses: [2, 1] })
  rig.parts.probes.pass(0)
  await everythingDone()
  expect([rig.port().probes, rig.port('s0', 1).probes, rig.port('s1').probes]).toEqual([0, 0, 0])
})

test('a store in suspicion is probed by every address, and the one that answers is dated', async () => {
  const rig = suspected([2])
  rig.port('s0', 1).onProbe = () => ANSWER
  await rig.clock.run(100)
  rig.parts.probes.pass(100)
  await everythingDone()
  expect([rig.route('s0', 0).heardAtMs, rig.route('s0', 1).heardAtMs]).toEqual([Number.NEGATIVE_INFINITY, 100])
  expect(rig.context.model.store('s0').lastHeardMs).toBe(100)
})

test('an address that does not answer is asked once at a time, and not beyond the deadline, though another answers', async () => {
  const rig = suspected([2])
  const dead = rig.port('s0', 0)
  let waiting = 0
  dead.onProbe = () => {
    waiting += 1
    return silence()
  }
  rig.port('s0', 1).onProbe = () => ANSWER
  rig.parts.probes.pass(0)
  await rig.clock.run(400)
  rig.parts.probes.pass(400)
  await everythingDone()
  // beside the deadline the moment when it is asked by another connection
  expect([waiting, rig.port('s0', 1).probes, rig.clock.timers]).toEqual([1, 2, 2])
  await rig.clock.run(3_600)
  expect(rig.clock.timers).toBe(0)
})

test('an address that is late to answer is asked beside, as the kept connection may be dead; one answer ends both', async () => {
  const rig = suspected()
  const { probes } = rig.parts
  const { rtoMs } = rig.context.model.store('s0')
  rig.port().onProbe = () => (rig.port().probes === 1 ? silence() : ANSWER)
  probes.pass(0)
  await rig.clock.run(Math.max(500, rtoMs) - 1)
  expect(rig.port().probes).toBe(1)
  await rig.clock.run(1)
  expect([rig.port().probes, rig.route().heardAtMs]).toEqual([2, rig.clock.now()])
  // of the connection that answered, and at once
  expect(rig.route().answering).toMatchObject({ sinceMs: rig.clock.now(), slowestMs: 0 })
  expect(rig.clock.timers).toBe(0)
  expect(rig.logged('probeLost')).toEqual([])
})

test('one probe at a time, and the next not at once after an answer', async () => {
  const rig = suspected()
  rig.parts.probes.pass(0)
  rig.parts.probes.pass(0)
  expect(rig.port().probes).toBe(1)
  const answering = suspected()
  answering.port().onProbe = () => ANSWER
  answering.parts.probes.pass(0)
  await everythingDone()
  answering.parts.probes.pass(299)
  expect(answering.port().probes).toBe(1)
  answering.parts.probes.pass(300)
  expect(answering.port().probes).toBe(2)
})

test('a lost probe is asked again with growing pauses, and an answer begins anew', async () => {
  const rig = suspected()
  const at: number[] = []
  rig.port().onProbe = () => {
    at.push(rig.clock.now())
    return broken()
  }
  for (let ms = 0; ms < 4_000; ms += 25) {
    await rig.clock.run(25)
    rig.parts.probes.pass(rig.clock.now())
  }
  await everythingDone()
  const pauses = at.slice(1).map((ms, i) => ms - (at[i] ?? 0))
  expect(pauses).toEqual([375, 750, 1_500])
})

test('a probe that nobody answers is lost after its deadline', async () => {
  const rig = suspected([2])
  rig.parts.probes.pass(0)
  await rig.clock.run(1_000)
  rig.parts.probes.pass(1_000)
  // asked beside once
  expect(rig.port().probes).toBe(2)
  await rig.clock.run(9_000)
  expect(rig.clock.timers).toBe(0)
  rig.parts.probes.pass(10_000)
  expect([rig.port().probes, rig.port('s0', 1).probes]).toEqual([3, 3])
})

test('a store that is left out is not probed', () => {
  const rig = suspected()
  rig.directory.exclude('s0', 'server-full', 'full')
  rig.parts.probes.pass(0)
  expect(rig.port().probes).toBe(0)
})

test('a stop ends the probe and says nothing of the server', async () => {
  const rig = suspected()
  rig.parts.probes.pass(0)
  await everythingDone()
  rig.parts.stop()
  await everythingDone()
  expect(rig.clock.timers).toBe(0)
  expect(rig.context.model.link().pGood).toBe(new TransferRig().context.model.link().pGood)
})

test('a probe’s answer tells the load', async () => {
  const rig = suspected()
  rig.port().onProbe = () => ANSWER
  rig.port().load = 0.6
  rig.parts.probes.pass(0)
  await everythingDone()
  expect(rig.context.model.store('s0').load).toBe(0.6)
})

test('a proxy that answers for a server that is away is no loss on the link, and no sign of its life', async () => {
  const rig = suspected()
  rig.begin({ last: 4 })
  const { model } = rig.context
  const before = model.link().pGood
  rig.port().onProbe = () => {
    throw new UploadError('unreachable', 'answered 502', { status: 502 })
  }
  rig.parts.probes.pass(0)
  await everythingDone()
  expect([model.link().pGood, model.store('s0').lastHeardMs]).toEqual([before, undefined])
  const silent = suspected()
  silent.begin({ last: 4 })
  silent.port().onProbe = broken
  silent.parts.probes.pass(0)
  await everythingDone()
  expect(silent.context.model.link().pGood).toBeLessThan(before)
})

test('what the model asks about is asked by the model’s pace', async () => {
  const rig = new TransferRig()
  rig.begin({ last: 4 })
  const asked: number[] = []
  rig.port().onProbe = () => {
    asked.push(rig.clock.now())
    return broken()
  }
  const wanted: number[] = []
  const { model } = rig.context
  const ask = model.wantsProbe.bind(model)
  model.wantsProbe = (o) => {
    const stores = ask(o)
    if (stores.length > 0) wanted.push(o.nowMs)
    return stores
  }
  for (let ms = 0; ms < 8_000; ms += 250) {
    await rig.clock.run(250)
    model.tick({ nowMs: rig.clock.now() })
    rig.parts.probes.pass(rig.clock.now())
  }
  await everythingDone()
  expect(wanted.length).toBeGreaterThan(2)
  expect(asked).toEqual(wanted)
})
