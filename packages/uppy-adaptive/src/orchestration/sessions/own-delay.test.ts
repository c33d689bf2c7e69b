import type { ByteRange } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { TransferRig } from '../../testing/transfer-rig.js'
import { pause } from '../timing.js'
import { OwnDelay } from './own-delay.js'

test('a pace is ours from a quarter of the time on, and from 50 ms', () => {
  const taken = (ownMs: number, gapMs: number): boolean => {
    const delay = new OwnDelay()
    delay.begin(100)
    delay.end(100 + ownMs)
    return delay.take(100 + gapMs, gapMs)
  }
  expect([taken(250, 1_000), taken(249, 1_000), taken(50, 60), taken(49, 60), taken(0, 0)]).toEqual([
    ...[true, false, true, false, false],
  ])
})

test('a delay counts once, to the acknowledgement after it, and as far as it has run when that comes', () => {
  const delay = new OwnDelay()
  delay.begin(0)
  expect([delay.isRunning, delay.take(100, 100)]).toEqual([true, true])
  delay.end(120)
  expect([delay.isRunning, delay.take(200, 100)]).toEqual([false, false])
  delay.end(900)
  expect(delay.take(1_000, 800)).toBe(false)
})

/** Reads of the file's first bytes for a body take so long. */
function withSlowStart(rig: TransferRig, delayMs: number): TransferRig {
  const { source, clock, context } = rig
  const body = source.body.bind(source)
  const slow = async (range: ByteRange) => {
    if (range.start === 0) await pause(clock, delayMs, context.signal)
    return body(range)
  }
  Object.assign(source, { body: slow })
  return rig
}

/** What the model has learned of how long sessions of s0 take to begin. */
const startsOf = ({ context }: TransferRig): unknown =>
  context.model.toJSON().stores.find(({ store }) => store === 's0')?.startGaps

test('while the source delays a session, no other server is asked to be faster', async () => {
  const rig = withSlowStart(new TransferRig({ addresses: [1, 1, 1], blocks: 12 }), 3_000)
  const { plan } = rig.context
  const others = ['s1', 's2'].map((store, i) => rig.begin({ store, first: 4 + 4 * i, last: 8 + 4 * i }))
  rig.begin({ last: 4 })
  for (let ms = 0; ms < 2_900; ms += 100) {
    await rig.clock.run(100)
    for (const { session } of others) rig.context.acknowledge(session, (plan.session(session)?.acked ?? 0) + 10_000)
    rig.parts.watch.score(rig.clock.now(), true)
    rig.parts.watch.treat(rig.clock.now())
  }
  for (const type of ['takeOver', 'copy', 'split', 'reconnect'] as const) expect(rig.logged(type)).toEqual([])
})

test.each([
  ['the source', 1_000],
  ['the path', 0],
])('the pace that %s has set is told as what it is', async (_who, sourceMs) => {
  const rig = withSlowStart(new TransferRig(), sourceMs)
  const { session } = rig.begin({ last: 4 })
  const before = startsOf(rig)
  await rig.clock.run(1_200)
  rig.context.acknowledge(session, 100_000)
  const [acked] = rig.logged('acked')
  if (sourceMs > 0) {
    expect(acked).toMatchObject({ appLimited: true })
    expect(startsOf(rig)).toEqual(before)
  } else {
    expect(acked).not.toHaveProperty('appLimited')
    expect(startsOf(rig)).not.toEqual(before)
  }
})
