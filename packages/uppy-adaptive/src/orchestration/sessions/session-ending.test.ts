import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { blocks, TransferRig } from '../../testing/transfer-rig.js'
import type { AttemptOutcome } from '../ports.js'

/** A failure that counts in full, over the fifteen seconds that the history starts with. */
const ONE_FAILURE = 1 / 15

/** How many failures s1's history counts after a session there has ended by these outcomes, with another store beside it. */
async function failuresAfter(outcomes: readonly AttemptOutcome[]): Promise<{ rig: TransferRig; failures: number }> {
  const rig = new TransferRig({ addresses: [1, 1] })
  const answers = [...outcomes]
  const last = outcomes.at(-1)
  rig.port('s1').onAttempt = () => answers.shift() ?? (last as AttemptOutcome)
  const before = rig.context.model.store('s1').failuresPerSecond
  const session = rig.begin({ store: 's1', last: 4 })
  await rig.clock.run(30_000)
  expect(rig.context.plan.session(session.session)).toBeUndefined()
  return { rig, failures: (rig.context.model.store('s1').failuresPerSecond - before) / ONE_FAILURE }
}

test('a 5xx counts in full, a broken connection as far as the link was good', async () => {
  const answered = await failuresAfter([{ kind: 'cut', failure: 'serverError', cause: new Error('500') }])
  expect(answered.failures).toBeCloseTo(1)
  const broken = await failuresAfter([{ kind: 'cut', cause: new Error('reset') }])
  expect(broken.failures).toBeGreaterThan(0.5)
  expect(broken.failures).toBeLessThan(1)
})

test('a store that refuses for load has not failed, and is taken for busy as long as it said', async () => {
  const { rig, failures } = await failuresAfter([{ kind: 'wait', status: 503, retryAfterMs: 9_000 }])
  expect(failures).toBe(0)
  const [failed] = rig.logged('failed')
  const endedMs = failed?.elapsedMs ?? 0
  const { model } = rig.context
  const busyUntil = rig.clock.now()
  expect(busyUntil - endedMs).toBeGreaterThan(1_000)
  expect(model.store('s1').load).toBeGreaterThan(0)
})

test('a refusal for configuration, an end by somebody’s will and one for another session’s bytes are no failures', async () => {
  for (const outcome of [
    { kind: 'refused', status: 403, message: 'no' },
    { kind: 'over', state: 'terminated', status: 410 },
    { kind: 'over', state: 'superseded', status: 410 },
  ] as const)
    expect((await failuresAfter([outcome])).failures).toBe(0)
})

test('a server that does not know its session any more has failed', async () => {
  expect((await failuresAfter([{ kind: 'over', state: 'gone', status: 404 }])).failures).toBeCloseTo(1)
})

test('a session put off for load and taken over meanwhile failed for load', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  const { model } = rig.context
  rig.port('s1').onAttempt = () => ({ kind: 'wait', status: 503, retryAfterMs: 20_000 })
  const session = rig.begin({ store: 's1', last: 4 })
  await rig.clock.run(2_000)
  const before = model.store('s1').failuresPerSecond
  const assessment = model.assess({ nowMs: 2_000, session: session.session, remainingBytes: 4 * BLOCK_SIZE })
  rig.parts.outcomes.takeOver(session, { reason: 'silent', assessment })
  expect(model.store('s1')).toMatchObject({ failuresPerSecond: before, load: 1 })
  await rig.clock.run(17_000)
  model.tick({ nowMs: rig.clock.now() })
  expect(model.store('s1').load).toBe(1)
})

test('a stop ends every session for the model too, and teaches nothing', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  const { model } = rig.context
  const sessions = ['s0', 's1'].map((store, i) => rig.begin({ store, first: 4 * i, last: 4 * i + 4 }))
  await rig.clock.run(60_000)
  const before = model.store('s1').failuresPerSecond
  rig.parts.stop()
  await rig.parts.outcomes.stopAll()
  await everythingDone()
  for (const { session } of sessions)
    expect(() => model.assess({ nowMs: 60_000, session, remainingBytes: 1 })).toThrow(
      expect.objectContaining({ code: 'unknownSession' }),
    )
  expect([model.link().phi, model.store('s1').failuresPerSecond]).toEqual([0, before])
})

test('what a broken session lost, and how long a completed one took, count for the next partition of its store', async () => {
  const rig = new TransferRig({ addresses: [1, 1] })
  const { context } = rig
  const lost = rig.begin({ store: 's1', last: 4 })
  await rig.clock.run(9_000)
  context.acknowledge(lost.session, BLOCK_SIZE)
  await rig.clock.run(1_000)
  rig.parts.outcomes.giveUpStore('s1')
  expect(context.histories.get('s1')?.lostShare).toBeLessThan(0.8)
  const done = rig.begin({ first: 4, last: 6 })
  const runner = context.runners.get(done.session)
  if (runner) runner.planned = { ms: 1_000, end: done.end }
  await rig.clock.run(2_000)
  context.acknowledge(done.session, done.end)
  context.plan.verify([blocks(4, 6)])
  rig.parts.outcomes.completeVerified()
  expect(context.histories.get('s0')?.stretch).toBeGreaterThan(1.1)
})
