import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test, vi } from 'vitest'
import { TransferRig } from '../testing/transfer-rig.js'

const TICK_MS = 250

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
