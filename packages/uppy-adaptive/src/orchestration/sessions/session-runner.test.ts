import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { everythingDone } from '../../testing/simulated-clock.js'
import { TransferRig } from '../../testing/transfer-rig.js'
import type { SessionEnd } from '../failure-rules.js'
import type { Attempt, AttemptOutcome } from '../ports.js'
import { UploadError } from '../upload-error.js'
import { SessionRunner } from './session-runner.js'

const B = BLOCK_SIZE
const URL = 'http://s0-0.test/files/g.s'
const CUT: AttemptOutcome = { kind: 'cut', cause: new Error('the connection broke') }
const accepted = (blocks: number): AttemptOutcome => ({ kind: 'accepted', offset: blocks * B, url: URL })
const mismatch = (offset: number | undefined, reachedEnd = false): AttemptOutcome => ({
  kind: 'mismatch',
  offset,
  url: URL,
  reachedEnd,
})

/** A session of four blocks at s0, answered by these outcomes one after another, then with silence. */
function run(outcomes: AttemptOutcome[], rig = new TransferRig()) {
  const { plan } = rig.context
  const session = plan.add({ session: 's', partition: 'p1', store: 's0', kind: 'first', start: 0, end: 4 * B })
  const runner = new SessionRunner(rig.context, session, rig.store())
  const answers = [...outcomes]
  const silent = new Promise<never>(() => {})
  for (const { port } of rig.store().routes)
    rig.port('s0', port === rig.port() ? 0 : 1).onAttempt = () => answers.shift() ?? silent
  const end: Promise<SessionEnd> = runner.run()
  return { rig, runner, end, port: rig.port(), plan }
}

/** What an attempt asked or sent, in blocks. */
const said = ({ url, range, body }: Attempt) =>
  body === undefined ? 'look' : `${url === undefined ? 'POST' : 'PATCH'} ${range.start / B}-${range.end / B}`

test('a session whose bytes one creation brings has sent them', async () => {
  const { end, port, plan } = run([accepted(4)])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4'])
  expect(plan.session('s')?.acked).toBe(4 * B)
})

test('an answer lost after the server had acted: the offset is asked for by a creation without a body, the rest is sent', async () => {
  const { end, port, rig } = run([CUT, accepted(3), accepted(4)])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'PATCH 3-4'])
  expect(port.attempts.map((attempt) => attempt.partition.attempt)).toEqual([1, 2, 3])
  expect(rig.logged('cut').map((event) => event.attempt)).toEqual([1])
})

test('an answer lost after everything had arrived costs one question and no byte', async () => {
  const { end, port } = run([CUT, accepted(4)])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look'])
})

test('a 409 with an offset goes on from there at once', async () => {
  const { end, port, rig } = run([mismatch(2 * B), accepted(4)])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'PATCH 2-4'])
  expect(rig.clock.now()).toBe(0)
})

test('a 409 without an offset asks for it, once at once and then with growing pauses', async () => {
  const { end, port, rig } = run([mismatch(undefined), mismatch(undefined), mismatch(undefined), accepted(4)])
  await rig.clock.run(0)
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look'])
  await rig.clock.run(375)
  expect(port.attempts).toHaveLength(3)
  expect(await rig.clock.settle(end)).toEqual({ kind: 'sent' })
  expect(rig.clock.now()).toBe(375 + 750)
})

test('a 409 at the planned end takes the server’s end for its own', async () => {
  const { end, plan } = run([mismatch(3 * B, true)])
  expect(await end).toEqual({ kind: 'sent' })
  expect(plan.session('s')).toMatchObject({ acked: 3 * B, end: 3 * B })
})

test('a server that went back behind what it had acknowledged has lost the session', async () => {
  const { end, port } = run([mismatch(3 * B), mismatch(1 * B)])
  expect(await end).toMatchObject({ kind: 'failed', code: 'network', cause: expect.stringContaining('acknowledged') })
  expect(port.attempts).toHaveLength(2)
})

test('so has one that says so when it is asked', async () => {
  const { end } = run([mismatch(3 * B), CUT, accepted(1)])
  expect(await end).toMatchObject({ kind: 'failed', code: 'network' })
})

test('a server that accepts bodies and counts no byte is asked, then paused at, and left where another could take the rest', async () => {
  const alone = run([accepted(0), accepted(0), accepted(0), accepted(0), accepted(4)])
  expect(await alone.rig.clock.settle(alone.end)).toEqual({ kind: 'sent' })
  expect(alone.port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'PATCH 0-4', 'look', 'PATCH 0-4'])
  const two = run(Array(9).fill(accepted(0)), new TransferRig({ addresses: [1, 1] }))
  expect(await two.rig.clock.settle(two.end)).toMatchObject({ kind: 'failed', code: 'network' })
  expect(two.port.attempts.length).toBeLessThan(7)
})

test('of a body that is ended nothing counts that only an earlier one had handed over', async () => {
  const rig = new TransferRig({ blocks: 8 })
  rig.context.plan.add({ session: 's', partition: 'p1', store: 's0', kind: 'first', start: 0, end: 8 * B })
  const runner = new SessionRunner(rig.context, rig.context.plan.session('s') ?? expect.fail(), rig.store())
  const bodies = rig.port().attempts
  rig.port().onAttempt = ({ body, onHandedOver }) => {
    if (body === undefined) return accepted(0)
    if (bodies.length > 1) return new Promise<never>(() => {})
    onHandedOver(8 * B)
    return CUT
  }
  const end = runner.run()
  await rig.clock.run(1_000)
  expect(bodies.map(said)).toEqual(['POST 0-8', 'look', 'PATCH 0-8'])
  expect(runner.handedOver).toBe(0)
  runner.reconnect()
  await rig.clock.run(1_000)
  expect(bodies.map(said).slice(3)).toEqual(['look', 'PATCH 0-8'])
  runner.stop()
  expect(await end).toEqual({ kind: 'stopped' })
})

test('a stop ends the request, and what is answered with it counts no more', async () => {
  const { end, runner, plan, rig } = run([])
  await everythingDone()
  runner.stop()
  expect(await end).toEqual({ kind: 'stopped' })
  const late = run([])
  let answer: (outcome: AttemptOutcome) => void = () => {}
  // an address that answers although it was told to stop
  late.port.attempt = () => new Promise((resolve) => (answer = resolve))
  await everythingDone()
  late.runner.stop()
  answer(accepted(4))
  expect(await late.end).toEqual({ kind: 'stopped' })
  expect([plan.session('s')?.acked, late.plan.session('s')?.acked]).toEqual([0, 0])
  expect([rig.clock.timers, late.rig.clock.timers]).toEqual([0, 0])
})

test('a stop during a pause ends it and leaves no timer', async () => {
  const { end, runner, rig } = run([{ kind: 'wait', status: 503, retryAfterMs: 30_000 }])
  await rig.clock.run(1_000)
  runner.stop()
  expect(await end).toEqual({ kind: 'stopped' })
  expect(rig.clock.timers).toBe(0)
})

test('an answer that comes with the abort of a fresh connection counts', async () => {
  const { end, runner, port } = run([])
  let answer: (outcome: AttemptOutcome) => void = () => {}
  port.attempt = () => new Promise((resolve) => (answer = resolve))
  await everythingDone()
  runner.reconnect()
  answer(accepted(4))
  expect(await end).toEqual({ kind: 'sent' })
})

test('a fresh connection asks for the offset before it sends anything', async () => {
  const { end, runner, port } = run([])
  await everythingDone()
  const answers = [accepted(1), accepted(4)]
  port.onAttempt = () => answers.shift() ?? CUT
  runner.reconnect()
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'PATCH 1-4'])
})

test('the same session goes on by the route that the store has changed to meanwhile', async () => {
  const rig = new TransferRig({ addresses: [2] })
  const { end, runner, port } = run([], rig)
  await everythingDone()
  const other = rig.port('s0', 1)
  const answers = [accepted(2), accepted(4)]
  other.onAttempt = () => answers.shift() ?? CUT
  rig.route('s0', 1).heardAtMs = 1
  rig.directory.leaveRoute('s0', runner.route)
  runner.reconnect()
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4'])
  expect(other.attempts.map(said)).toEqual(['look', 'PATCH 2-4'])
  expect(other.attempts.map((attempt) => attempt.partition.session)).toEqual(['s', 's'])
  expect(runner.route).toBe(rig.route('s0', 1))
})

test('a question that is not answered in time counts as cut and is asked again', async () => {
  const { end, port, rig } = run([CUT])
  await rig.clock.run(10_000)
  expect(port.attempts.map(said).slice(0, 3)).toEqual(['POST 0-4', 'look', 'look'])
  expect(rig.logged('cut').at(-1)?.cause).toContain('did not say')
  port.onAttempt = () => accepted(4)
  expect(await rig.clock.settle(end)).toEqual({ kind: 'sent' })
})

test('a machine that slept over its question asks again and goes on', async () => {
  const { end, port, rig } = run([CUT])
  await everythingDone()
  port.onAttempt = () => accepted(4)
  rig.clock.advance(3_600_000)
  expect(await rig.clock.settle(end)).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'look'])
})

test('Retry-After is obeyed, up to a minute', async () => {
  const { end, port, rig } = run([
    { kind: 'wait', status: 503, retryAfterMs: 7_000 },
    { kind: 'wait', status: 429, retryAfterMs: 3_600_000 },
    accepted(4),
  ])
  await rig.clock.run(6_999)
  expect(port.attempts).toHaveLength(1)
  await rig.clock.run(1)
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look'])
  await rig.clock.run(60_000)
  expect(await end).toEqual({ kind: 'sent' })
})

test('a 413 makes bodies smaller: as small as the server says, else half, and gives up under 16 KiB', async () => {
  const { end, port } = run([
    { kind: 'tooLarge', limit: { maxAppendSize: B } },
    accepted(1),
    accepted(2),
    accepted(3),
    accepted(4),
  ])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'POST 0-1', 'PATCH 1-2', 'PATCH 2-3', 'PATCH 3-4'])
  const never = run(Array(40).fill({ kind: 'tooLarge', limit: {} }))
  expect(await never.end).toMatchObject({ kind: 'failed', code: 'refused', status: 413 })
})

test('a body of which nothing arrives, though its server answers, is followed by a smaller one; one that arrived in part is not', async () => {
  const silent: AttemptOutcome = { ...CUT, fault: 'status 0' }
  const { end, port, rig } = run([silent, accepted(0), accepted(1), accepted(2), accepted(3), accepted(4)])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'PATCH 0-1', 'PATCH 1-2', 'PATCH 2-3', 'PATCH 3-4'])
  expect(rig.logged('shrunk').map((event) => event.maxBodyBytes)).toEqual([B])
  const partly = run([silent, accepted(1), accepted(4)])
  expect(await partly.end).toEqual({ kind: 'sent' })
  expect(partly.port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'PATCH 1-4'])
})

test('credentials that were renewed are a warning, and what arrived is asked for before anything is sent', async () => {
  const { end, port, rig } = run([
    { kind: 'denied', status: 401, message: 'expired', isRenewed: true },
    accepted(2),
    accepted(4),
  ])
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-4', 'look', 'PATCH 2-4'])
  expect(rig.logged('warning').map((event) => event.code)).toEqual(['credentials-refused'])
})

test('a limit that one session has met holds for the host’s other sessions', async () => {
  const { end, rig } = run([{ kind: 'tooLarge', limit: { maxAppendSize: 2 * B } }, accepted(2), accepted(4)])
  await end
  expect(rig.context.bodies.largest(rig.route().endpoint, undefined)).toBe(2 * B)
})

test('a limit that the server announced is obeyed from the first body on', async () => {
  const rig = new TransferRig()
  rig.store().limit = { maxAppendSize: 2 * B }
  const { end, port } = run([accepted(2), accepted(4)], rig)
  expect(await end).toEqual({ kind: 'sent' })
  expect(port.attempts.map(said)).toEqual(['POST 0-2', 'PATCH 2-4'])
})

test('a session that is over on its server ends with the server’s word', async () => {
  const { end } = run([{ kind: 'over', state: 'superseded', status: 410 }])
  expect(await end).toEqual({ kind: 'over', state: 'superseded' })
})

test('a source that cannot be read is no server’s fault: the run rejects with it', async () => {
  const rig = new TransferRig()
  const fault = new UploadError('source-unreadable', 'the file is gone')
  rig.source.body = () => {
    throw fault
  }
  await expect(run([], rig).end).rejects.toBe(fault)
  expect(rig.port().attempts).toEqual([])
})

test('a session that was taken out of the plan stops by itself', async () => {
  const { end, plan, rig } = run([CUT, { kind: 'wait', status: 503, retryAfterMs: 1_000 }])
  await rig.clock.run(0)
  plan.end('s')
  await rig.clock.run(1_000)
  expect(await end).toEqual({ kind: 'stopped' })
})

test('a store that puts a session off is busy for as long as it says, and its own answer vouches for none of its silence', async () => {
  const rig = new TransferRig()
  const { model } = rig.context
  model.sessionStarted({ nowMs: 0, session: 's', store: 's0', rangeBytes: 4 * B })
  rig.port().load = 0.3
  run(Array(99).fill({ kind: 'wait', status: 503, retryAfterMs: 500 }), rig)
  await rig.clock.run(4_900)
  expect(model.store('s0')).toMatchObject({ load: 1, lastHeardMs: 4_500 })
  expect(model.assess({ nowMs: 4_900, session: 's', remainingBytes: 4 * B }).server).toBeLessThan(0.5)
  const answered = new TransferRig()
  answered.port().load = 0.3
  await run([accepted(4)], answered).end
  expect(answered.context.model.store('s0').load).toBe(0.3)
})

test('each pause is logged with its cause before it begins, and a question asked at once is none', async () => {
  const { rig, end } = run([CUT, mismatch(undefined), { kind: 'wait', status: 503, retryAfterMs: 7_000 }, accepted(4)])
  expect(rig.logged('waiting')).toEqual([])
  await rig.clock.settle(end)
  const waits = rig
    .logged('waiting')
    .map(({ session, cause, delayMs, elapsedMs }) => ({ session, cause, delayMs, elapsedMs }))
  expect(waits.at(-1)).toMatchObject({ session: 's', cause: expect.stringContaining('503'), delayMs: 7_000 })
  expect(rig.clock.now()).toBe(waits.reduce((sum, { delayMs }) => sum + delayMs, 0))
  expect(waits.map(({ elapsedMs }) => elapsedMs)).toEqual(
    waits.map((_, at) => waits.slice(0, at).reduce((sum, { delayMs }) => sum + delayMs, 0)),
  )
})

test('each smaller body is logged with its size: what the server says, or half', async () => {
  const { rig, end } = run([
    { kind: 'tooLarge', limit: { maxAppendSize: 2 * B } },
    { kind: 'tooLarge', limit: {} },
    accepted(4),
  ])
  await end
  expect(rig.logged('shrunk').map(({ session, maxBodyBytes }) => [session, maxBodyBytes])).toEqual([
    ['s', 2 * B],
    ['s', B],
  ])
  const never = run(Array(40).fill({ kind: 'tooLarge', limit: {} }))
  await never.end
  expect(Math.min(...never.rig.logged('shrunk').map(({ maxBodyBytes }) => maxBodyBytes))).toBeGreaterThanOrEqual(16_384)
})
