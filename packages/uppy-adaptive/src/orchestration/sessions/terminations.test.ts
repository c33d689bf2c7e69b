import { expect, test } from 'vitest'
import type { ScriptedPort } from '../../testing/scripted-port.js'
import { broken, refusal, TransferRig } from '../../testing/transfer-rig.js'

const DROPPED = () => ({ sessions: [] })

function dropping(onOperation: ScriptedPort['onOperation']): TransferRig {
  const rig = new TransferRig()
  rig.port().onOperation = onOperation
  return rig
}

function drop(rig: TransferRig, session = 'a'): void {
  rig.parts.terminations.drop({ session, store: 's0', reason: 'taken over' })
}

test('a session is dropped with its reason, and its store gets no other until it has confirmed', async () => {
  const rig = dropping(DROPPED)
  drop(rig)
  expect(rig.parts.starter.canTake(rig.store())).toBe(false)
  await rig.clock.run(0)
  expect(rig.port().operations).toMatchObject([
    { op: 'plan', store: 's0', changes: [{ session: 'a', drop: true, reason: 'taken over' }] },
  ])
  expect(rig.parts.starter.canTake(rig.store())).toBe(true)
})

test('a session that is being dropped is not dropped a second time', async () => {
  const rig = dropping(DROPPED)
  drop(rig)
  drop(rig)
  drop(rig, 'b')
  await rig.clock.run(0)
  expect(rig.port().asked).toEqual(['plan', 'plan'])
})

for (const status of [404, 410]) {
  test(`${status} says that there is nothing left to end`, async () => {
    const rig = dropping(refusal(status))
    drop(rig)
    await rig.clock.run(60_000)
    expect(rig.port().asked).toEqual(['plan'])
    expect(rig.parts.terminations.isPending('s0')).toBe(false)
  })
}

for (const [why, trouble] of [
  ['is away', broken],
  ['has too much to do', refusal(429)],
  ['is being restarted', refusal(503)],
] as const) {
  test(`a server that ${why} is asked again, with growing pauses, and left to expiry at last`, async () => {
    const at: number[] = []
    const rig = dropping(() => {
      at.push(rig.clock.now())
      return trouble()
    })
    drop(rig)
    await rig.clock.run(120_000)
    expect(at.slice(1).map((ms, i) => ms - (at[i] ?? 0))).toEqual([188, 375, 750, 1_500, 3_000, 6_000, 7_500])
    expect(rig.parts.terminations.isPending('s0')).toBe(false)
  })
}

test('a stop ends the request and the pauses', async () => {
  const asking = new TransferRig()
  const resting = dropping(broken)
  for (const rig of [asking, resting]) {
    drop(rig)
    await rig.clock.run(10)
    rig.parts.stop()
    await rig.clock.run(0)
    expect(rig.clock.timers).toBe(0)
  }
})

test('the end of each is logged once: confirmed, gone already, or left to expiry, after how many tries and how long', async () => {
  for (const [onOperation, told] of [
    [DROPPED, { outcome: 'confirmed', tries: 1, waitMs: 0 }],
    [refusal(404), { outcome: 'gone', tries: 1, waitMs: 0 }],
    [broken, { outcome: 'left', tries: 8, waitMs: 19_313 }],
  ] as const) {
    const rig = dropping(onOperation)
    drop(rig)
    expect(rig.logged('terminated')).toEqual([])
    await rig.clock.run(120_000)
    expect(rig.logged('terminated')).toMatchObject([{ session: 'a', store: 's0', reason: 'taken over', ...told }])
  }
})
