import { expect, test } from 'vitest'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { strictLog } from '../../testing/strict-log.js'
import { LoggedModel } from './logged-model.js'

function rig() {
  const clock = new SimulatedClock()
  clock.advance(5_000.7)
  const { log, events } = strictLog(clock)
  return { clock, events, model: new LoggedModel(log), now: () => clock.now() }
}

test('what the model is told of a store stands in the log, at the time that the model was told', () => {
  const { clock, events, model, now } = rig()
  model.heard({ nowMs: now(), store: 'a' })
  clock.advance(250.5)
  model.requestRtt({ nowMs: now(), store: 'a', roundTripMs: 12.3456, operation: 'claim' })
  model.probeLost({ nowMs: now(), store: 'b' })
  model.serverLoad({ nowMs: now(), store: 'a', load: 0.25 })
  model.busy({ nowMs: now(), store: 'b', retryAfterMs: 2_000 })
  expect(events.map(({ upload: _, at: __, ...event }) => event)).toEqual([
    { type: 'heard', store: 'a', n: 1, elapsedMs: 0 },
    { type: 'roundTrip', store: 'a', operation: 'claim', roundTripMs: 12.3, n: 2, elapsedMs: 251 },
    { type: 'probeLost', store: 'b', n: 3, elapsedMs: 251 },
    { type: 'load', store: 'a', load: 0.25, n: 4, elapsedMs: 251 },
    { type: 'busy', store: 'b', retryAfterMs: 2_000, n: 5, elapsedMs: 251 },
  ])
  expect(model.store('a').requestRttMs).toBe(12.3)
})

test('a store that speaks a hundred times a second is heard ten times a second', () => {
  const { clock, events, model, now } = rig()
  for (let i = 0; i < 200; i++) {
    model.heard({ nowMs: now(), store: 'a' })
    model.heard({ nowMs: now(), store: 'b' })
    clock.advance(10)
  }
  expect(events.filter((event) => event.type === 'heard' && event.store === 'a')).toHaveLength(20)
  expect(events).toHaveLength(40)
})

test('times come out as the engine has them', () => {
  const { model, now } = rig()
  model.heard({ nowMs: now(), store: 'a' })
  expect(model.store('a').lastHeardMs).toBe(5_000)
  expect(model.store('b').lastHeardMs).toBeUndefined()
})

test('which stores it wants probed is logged when it wants any', () => {
  const { clock, events, model, now } = rig()
  model.sessionStarted({ nowMs: now(), session: 's', store: 'a', rangeBytes: 1e6 })
  expect(model.wantsProbe({ nowMs: now() })).toEqual([])
  expect(events).toEqual([])
  clock.advance(5_000)
  expect(model.wantsProbe({ nowMs: now() })).toEqual(['a'])
  expect(events).toMatchObject([{ type: 'probesWanted', stores: ['a'], elapsedMs: 5_000 }])
})
