import { BLOCK_SIZE, blockFloor } from 'tus-reconcile-protocol'
import { expect, test, vi } from 'vitest'
import { TransferRig } from '../../testing/transfer-rig.js'
import { TICK_MS } from '../waiting/watch-times.js'

/** A server alone, over HTTP/2 behind a proxy that lets each stream send a little per round trip. */
class NarrowStreams {
  readonly rig: TransferRig
  /** How many sent, tick by tick. */
  readonly sending: number[] = []

  constructor(blocks: number) {
    this.rig = new TransferRig({ blocks })
    vi.spyOn(this.rig.context.share, 'isMultiplexed').mockReturnValue(true)
    this.rig.parts.assigner.pass()
  }

  /** @param perSession blocks that each session brings per tick */
  async run(ticks: number, perSession: number): Promise<this> {
    const { context, parts, clock } = this.rig
    for (let tick = 0; tick < ticks && !this.isDone; tick++) {
      await clock.run(TICK_MS)
      const nowMs = clock.now()
      const all = context.plan.sessions().filter(({ acked, end }) => acked < end)
      this.sending.push(all.length)
      for (const { session, acked, end } of all)
        context.acknowledge(session, Math.min(end, acked + perSession * BLOCK_SIZE))
      context.model.tick({ nowMs })
      parts.watch.score(nowMs, true)
      parts.flow.tick(nowMs)
      parts.assigner.pass()
    }
    return this
  }

  get isDone(): boolean {
    return this.rig.context.plan.sessions().every(({ acked, end }) => acked >= end)
  }
}

test('over HTTP/2 more sessions are tried whatever queue the round trips show, for all share one connection', async () => {
  const path = new NarrowStreams(400)
  for (const roundTripMs of [20, 200, 200, 200]) path.rig.context.noteRoundTrip('s0', roundTripMs)
  expect(path.rig.parts.gauge.isFull('s0')).toBe(true)
  await path.run(8, 2)
  expect(path.rig.logged('concurrency')[0]).toMatchObject({ kind: 'add', limit: 4, reason: 'window' })
  expect(path.rig.logged('concurrency').some(({ kind }) => kind === 'giveBack')).toBe(false)
})

test('a number of sessions that has paid is kept up until the end: who is free takes a piece of the longest', async () => {
  const path = await new NarrowStreams(250).run(200, 1)
  expect(path.isDone).toBe(true)
  const changes = path.rig.logged('concurrency').map(({ kind, limit }) => `${kind} ${limit}`)
  expect(changes).toContain('keep 4')
  expect(changes.filter((change) => change.startsWith('leave'))).toEqual([])
  const reached = path.sending.indexOf(Math.max(...path.sending))
  // the last pieces are not worth cutting
  const steady = path.sending.slice(reached, path.sending.length - 8)
  expect(Math.min(...steady)).toBeGreaterThanOrEqual(4)
  expect(new Set(path.rig.logged('session').map(({ reason }) => reason))).toEqual(new Set(['alone', 'trial', 'shared']))
})

/** An upload to two stores that say each tick that half a block of every session has come. */
class Flowing {
  readonly rig = new TransferRig({ addresses: [1, 1], blocks: 400 })

  async run(ms: number, roundTripMs: (store: string) => number, silent?: string): Promise<void> {
    const { clock, context, parts } = this.rig
    for (const untilMs = clock.now() + ms; clock.now() < untilMs; ) {
      parts.assigner.pass()
      await clock.run(TICK_MS)
      for (const { session, acked, end, store } of context.plan.sessions())
        if (store !== silent) context.acknowledge(session, Math.min(end, acked + BLOCK_SIZE / 2))
      context.plan.verify(context.plan.sessions().map(({ start, acked }) => ({ start, end: blockFloor(acked) })))
      parts.outcomes.completeVerified()
      for (const { id } of context.directory.stores()) parts.gauge.note(id, roundTripMs(id))
      parts.watch.score(clock.now(), true)
      parts.flow.tick(clock.now())
    }
    parts.assigner.pass()
  }

  sending(store: string): number {
    return this.rig.parts.starter.sending(store)
  }
}

test('with mirrors each server has one session while there is a queue on the way to any', async () => {
  const flowing = new Flowing()
  await flowing.run(500, () => 40)
  await flowing.run(8_000, (store) => (store === 's0' ? 140 : 40))
  expect(flowing.rig.parts.flow.limit).toBe(2)
  expect(flowing.rig.logged('concurrency')).toEqual([])
  expect([flowing.sending('s0'), flowing.sending('s1')]).toEqual([1, 1])
})

test('where no path has a queue more are tried, of each server as many, and kept while they bring more', async () => {
  const flowing = new Flowing()
  await flowing.run(8_000, () => 40)
  const [first, second] = flowing.rig.logged('concurrency')
  expect(first).toMatchObject({ kind: 'add', limit: 4, reason: 'quiet', paths: [{ store: 's0' }, { store: 's1' }] })
  expect(second).toMatchObject({ kind: 'keep', limit: 4, reason: 'pays' })
  expect(Math.abs(flowing.sending('s0') - flowing.sending('s1'))).toBeLessThanOrEqual(1)
  expect(flowing.sending('s0') + flowing.sending('s1')).toBeGreaterThanOrEqual(4)
})

test('sessions beyond one each go where there is no queue', async () => {
  const flowing = new Flowing()
  await flowing.run(4_500, () => 40)
  expect(flowing.rig.parts.flow.limit).toBe(4)
  await flowing.run(3_000, (store) => (store === 's0' ? 140 : 40))
  expect(flowing.sending('s0')).toBeGreaterThanOrEqual(1)
  expect(flowing.sending('s1')).toBeGreaterThan(flowing.sending('s0'))
})

test('a store that is left of several, for now, has one session', async () => {
  const flowing = new Flowing()
  flowing.rig.directory.suspect('s1', 'silent', flowing.rig.clock.now())
  await flowing.run(24_000, () => 40)
  expect(flowing.rig.parts.flow.limit).toBe(1)
  expect(flowing.rig.logged('concurrency')).toEqual([])
})

test('where less flows because one of several is silent, no more are tried', async () => {
  const flowing = new Flowing()
  await flowing.run(2_500, () => 40)
  await flowing.run(3_000, () => 40, 's1')
  expect(flowing.rig.logged('concurrency')).toEqual([])
})
