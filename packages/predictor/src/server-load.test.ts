import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LossProxy } from './loss-proxy.js'
import { loadPressure, ServerLoad } from './server-load.js'
import { ALL, type Play, three } from './testing/play.js'

test('a report of load fades by half in ten seconds, and a newer one takes its place', () => {
  const load = new ServerLoad()
  expect(load.share(0)).toBe(0)
  load.reported({ nowMs: 0, load: 0.8 })
  expect(load.share(10_000)).toBeCloseTo(0.4)
  load.reported({ nowMs: 10_000, load: 0.1 })
  expect(load.share(10_000)).toBeCloseTo(0.1)
})

test('a server that asks to be left alone is at its load until then, five minutes at most', () => {
  const load = new ServerLoad()
  load.busy({ nowMs: 0, retryAfterMs: 60_000 })
  expect([load.share(60_000), load.share(70_000)]).toEqual([1, 0.5])
  load.busy({ nowMs: 0, retryAfterMs: 1e12 })
  expect(load.share(310_000)).toBeCloseTo(0.5)
})

test('a load above one is refused and quoted', () => {
  const { model, nowMs } = three()
  for (const load of [1.5, -0.1, Number.NaN]) {
    expect(() => model.serverLoad({ nowMs, store: 'a', load })).toThrow(
      expect.objectContaining({ code: 'invalidQuantity', message: expect.stringContaining(String(load)) }),
    )
  }
  expect(model.store('a').load).toBe(0)
})

test('a busy server is somewhat more likely to fail, and never so much that a copy is due', () => {
  const play = three()
  const calm = play.of('a').server
  play.model.serverLoad({ nowMs: play.nowMs, store: 'a', load: 1 })
  expect(play.of('a').server).toBeGreaterThan(calm + 0.05)
  expect(play.of('a').server).toBeLessThan(0.3)
  expect(play.of('a').blame.map(({ factor }) => factor)).toContain('load')
  expect(play.of('b').blame.map(({ factor }) => factor)).not.toContain('load')
})

test('what queues at one server alone is its load, what queues at all is our own link', () => {
  const queued = (stores: string[]): number => {
    const play = three()
    for (const store of ['a', 'b', 'c']) play.model.requestRtt({ nowMs: play.nowMs, store, roundTripMs: 40 })
    for (let n = 0; n < 8; n++) {
      for (const store of stores) play.model.requestRtt({ nowMs: play.nowMs, store, roundTripMs: 900 })
    }
    expect(play.model.store('a').queueingDelayMs).toBeGreaterThan(400)
    return play.of('a').blame.find(({ factor }) => factor === 'load')?.weight ?? 0
  }
  expect(queued(['a'])).toBeGreaterThan(0.02)
  expect(queued(['a', 'b', 'c'])).toBe(0)
})

test('429 and 503 with Retry-After are load and no failure, and neither is a refusal for configuration', () => {
  for (const failure of ['load', 'configuration'] as const) {
    const play = three()
    const { failuresPerSecond } = play.model.store('a')
    play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure })
    expect(play.model.store('a').failuresPerSecond).toBe(failuresPerSecond)
    expect(play.model.store('a').load).toBe(failure === 'load' ? 1 : 0)
  }
  const play = three()
  play.model.busy({ nowMs: play.nowMs, store: 'a', retryAfterMs: 30_000 })
  play.run(20_000, ALL)
  expect(play.model.store('a').load).toBe(1)
})

test('a server error counts in full though the link is in doubt, a lost connection by how likely the link was good', () => {
  const counted = (failure: 'serverError' | 'connection'): number => {
    const play = three().run(4_000, {})
    const before = play.model.store('a').failuresPerSecond
    play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure })
    return play.model.store('a').failuresPerSecond / before
  }
  expect(counted('serverError')).toBeGreaterThan(2)
  expect(counted('connection')).toBeLessThan(1.2)
})

test('the loss proxy is the share of gaps beyond the RTO, once eight were seen', () => {
  const loss = new LossProxy()
  for (let n = 0; n < 7; n++) loss.add(100, 300)
  expect(loss.share()).toBeUndefined()
  for (let n = 0; n < 400; n++) loss.add(n % 4 === 0 ? 400 : 300, 300)
  expect(loss.share()).toBeCloseTo(0.25, 1)
})

test('our own pauses and what the source limits are no loss', () => {
  const play = three()
  expect(play.model.store('a').lossShare).toBe(0)
  for (let n = 0; n < 20; n++) {
    play.nowMs += 3_000
    play.model.acknowledged({ nowMs: play.nowMs, session: 'a', bytes: 60_000, appLimited: true })
  }
  expect(play.model.store('a').lossShare).toBe(0)
  play.model.acknowledged({ nowMs: play.nowMs + 3_000, session: 'a', bytes: 60_000 })
  expect(play.model.store('a').lossShare).toBeGreaterThan(0)
})

test('what a session hears over its own connection vouches for no silence of its own, and for that of others', () => {
  const silentWith = (say: (play: Play) => void): Play => {
    const play = three()
    for (let n = 0; n < 10; n++) {
      play.run(200, {})
      say(play)
    }
    return play
  }
  for (const word of ['serverLoad', 'busy'] as const) {
    const say = (session?: string) => (play: Play) => {
      const { model, nowMs } = play
      const from = { nowMs, store: 'a', ...(session && { session }) }
      if (word === 'busy') model.busy({ ...from, retryAfterMs: 100 })
      else model.serverLoad({ ...from, load: 0.1 })
    }
    expect(silentWith(say()).of('a').server).toBeGreaterThan(0.5)
    const own = silentWith(say('a'))
    expect(own.of('a').server).toBeLessThan(0.2)
    expect(own.of('b').server).toBeGreaterThan(0.5)
  }
})

test('a load is never above one, and never rises by itself', () => {
  const word = fc.record({
    afterMs: fc.integer({ min: 0, max: 60_000 }),
    load: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.integer({ min: 0, max: 600_000 }), (words, laterMs) => {
      const load = new ServerLoad()
      let nowMs = 0
      for (const { afterMs, load: said, retryAfterMs } of words) {
        nowMs += afterMs
        if (said === undefined) load.busy({ nowMs, retryAfterMs })
        else load.reported({ nowMs, load: said })
      }
      const now = load.share(nowMs)
      expect(now >= 0 && now <= 1).toBe(true)
      expect(load.share(nowMs + laterMs)).toBeLessThanOrEqual(now)
    }),
  )
})

test('a server at half its load is barely under pressure, one that lets 300 ms queue is under half of all', () => {
  expect(loadPressure({ share: 0.5, queueingDelayMs: 0 })).toBe(0.25)
  expect(loadPressure({ share: 0, queueingDelayMs: 300 })).toBe(0.5)
  const quantity = fc.double({ min: 0, max: 1e6, noNaN: true })
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(share, quantity, quantity, (load, queueingDelayMs, more) => {
      const pressure = loadPressure({ share: load, queueingDelayMs })
      expect(pressure >= 0 && pressure <= 1).toBe(true)
      expect(loadPressure({ share: load, queueingDelayMs: queueingDelayMs + more })).toBeGreaterThanOrEqual(pressure)
    }),
  )
})
