import { expect, test } from 'vitest'
import type { RiskAssessment } from './risk-assessment.js'
import { ALL, Play, STEADY, three } from './testing/play.js'

test('healthy sessions carry little risk, and a cold one not much more', () => {
  expect(new Play().start('a').of('a').risk).toBeLessThan(0.3)
  const play = three()
  for (const session of ['a', 'b', 'c']) expect(play.of(session).risk).toBeLessThan(0.15)
  expect(play.model.aggregateGoodput()).toBeGreaterThan(1_500_000)
})

test('one of three silent for a second is its server, not the link', () => {
  const { b, c } = ALL
  const play = three().run(1_250, { b, c })
  const silent = play.of('a')
  expect(silent.phi).toBeGreaterThanOrEqual(2)
  expect(silent.server).toBeGreaterThan(0.5)
  expect(silent.link).toBeLessThan(0.1)
  expect(silent.blame[0]).toMatchObject({ cause: 'server', factor: 'serverSilent' })
  for (const session of ['b', 'c']) expect(play.of(session).risk).toBeLessThan(0.15)
})

test('two of three silent together are their servers while the third moves', () => {
  const play = three().run(1_500, { c: ALL.c })
  for (const session of ['a', 'b']) expect(play.of(session).server).toBeGreaterThan(0.5)
  expect(play.of('a').link).toBeLessThan(0.3)
  expect(play.of('c').server).toBeLessThan(0.2)
})

test('of two stores the silent one is known by the other', () => {
  const play = new Play().start('a', 'b').run(4_000, { a: ALL.a, b: ALL.b }).run(1_500, { b: ALL.b })
  expect(play.of('a').server).toBeGreaterThan(0.5)
})

test('a session at a twentieth of its rate straggles within 1.25 s while its phi stays low', () => {
  const play = three().run(1_250, { ...ALL, a: { ...STEADY, bytes: 3_000 } })
  const slow = play.of('a')
  expect(slow.straggle).toBeGreaterThan(0.8)
  expect(slow.phi).toBeLessThan(1)
  expect(slow.server).toBeLessThan(0.2)
  expect(slow.expectedRemainingMs).toBeGreaterThan(25_000)
  expect(play.of('b').straggle).toBeLessThan(0.1)
})

test('when all slow down together it is the link', () => {
  const slow = Object.fromEntries(Object.entries(ALL).map(([key, flow]) => [key, { ...flow, bytes: 6_000 }]))
  const play = three().run(2_000, slow)
  for (const session of ['a', 'b', 'c']) {
    expect(play.of(session).straggle).toBeLessThan(0.2)
    expect(play.of(session).link).toBeGreaterThan(0.7)
  }
})

test('slow but steady sessions are neither stalled nor stragglers', () => {
  const trickle = { bytes: 16_384, everyMs: 300 }
  const play = new Play().start('a', 'b')
  play.run(3_000, { a: trickle, b: ALL.b })
  play.run(10_000, { a: trickle, b: ALL.b }, () => {
    expect(play.of('a').phi).toBeLessThan(1)
    expect(play.of('a').risk).toBeLessThan(0.2)
  })
})

test('an outage of any length blames no server, with two or three stores, whether acks stop at once or not', () => {
  for (const names of [
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]) {
    for (const skewMs of [0, 150, 300]) {
      for (const outageMs of [500, 1_000, 4_000, 40_000]) {
        const play = new Play().start(...names)
        const flows = Object.entries(ALL).filter(([name]) => names.includes(name))
        play.run(4_000, Object.fromEntries(flows))
        const check = play.serverBelow(0.2, ...names)
        for (let n = 1; n < flows.length; n++)
          play.run(skewMs / (flows.length - 1), Object.fromEntries(flows.slice(n)), check)
        play.run(outageMs, {}, check)
        if (outageMs > 1_500) expect(play.of('a').link).toBeGreaterThan(0.9)
        // They restart one after the other within a second, in the order in which they stopped and in the reverse.
        const order = outageMs === 4_000 ? flows : flows.toReversed()
        for (let n = 1; n <= flows.length; n++)
          play.run(n < flows.length ? 1_000 / (flows.length - 1) : 5_000, Object.fromEntries(order.slice(0, n)), check)
        expect(play.of('a').link).toBeLessThan(0.1)
        expect(play.of('a').straggle).toBeLessThan(0.2)
      }
    }
  }
})

test('an outage in which one store has just begun a new session is still the link', () => {
  const play = three()
  play.model.sessionEnded({ nowMs: play.nowMs, session: 'c', outcome: 'completed' })
  play.start('c').run(6_000, {}, play.serverBelow(0.2, 'a', 'b', 'c'))
  expect(play.of('a').link).toBeGreaterThan(0.9)
  play.run(1_000, { c: ALL.c }, play.serverBelow(0.2, 'a', 'b', 'c'))
  play.run(3_000, ALL, play.serverBelow(0.2, 'a', 'b', 'c'))
})

test('who stays silent well after the others came back, for longer than the outage lasted, is blamed', () => {
  const { b, c } = ALL
  const play = three().run(10_000, {}).run(13_000, { b, c })
  expect(play.of('a').server).toBeGreaterThan(0.5)
})

test('a single store is not blamed without a sign of life from elsewhere', () => {
  const play = new Play().start('a').run(4_000, { a: STEADY })
  play.run(20_000, {}, play.serverBelow(0.2, 'a'))
  expect(play.of('a').link).toBeGreaterThan(0.9)
})

test('a single store is blamed once others keep answering, or itself does on a new connection', () => {
  for (const witness of ['a', 'b']) {
    const play = new Play().start('a').run(4_000, { a: STEADY })
    const probe = (): void => {
      if (play.nowMs % 400 === 0) play.model.heard({ nowMs: play.nowMs, store: witness })
    }
    play.run(2_000, {}, probe)
    expect(play.of('a').server).toBeGreaterThan(0.5)
    expect(play.of('a').link).toBeLessThan(0.4)
  }
})

test('lost probes say link, and the first answer after them begins a period of grace', () => {
  const play = new Play()
  play.model.heard({ nowMs: play.nowMs, store: 'b' })
  play.start('a').run(4_000, { a: STEADY }).run(600, {})
  const before = play.model.link().pGood
  for (const store of ['a', 'b']) play.model.probeLost({ nowMs: play.nowMs + 500, store })
  expect(play.model.link().pGood).toBeLessThan(before)
  play.run(1_000, {})
  play.model.heard({ nowMs: play.nowMs, store: 'b' })
  play.run(1_000, {}, play.serverBelow(0.2, 'a'))
})

test('probes are wanted of suspects and of who could testify, at most once per timeout', () => {
  const play = new Play()
  for (const store of ['a', 'b', 'c']) play.model.requestRtt({ nowMs: play.nowMs, store, roundTripMs: 40 })
  play.start('a').run(4_000, { a: STEADY })
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual([])
  play.run(600, {})
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual(['a', 'b', 'c'])
  play.run(200, {})
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual([])
  for (const store of ['b', 'c']) play.model.heard({ nowMs: play.nowMs + 150, store })
  play.run(200, {})
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual([])
  play.run(1_000, {})
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual(['a', 'b', 'c'])
})

test('a laptop that slept learns nothing', () => {
  const play = three()
  const before = play.of('a')
  const store = play.model.store('a')
  play.nowMs += 3_600_000
  play.model.localPause({ nowMs: play.nowMs, gapMs: 3_600_000 })
  expect(play.of('a').gapMs).toBe(0)
  expect(play.of('a').risk).toBeLessThan(0.2)
  play.run(300, {}).run(3_000, ALL, play.serverBelow(0.2, 'a', 'b', 'c'))
  expect(play.of('a').rateBytesPerSecond).toBeCloseTo(before.rateBytesPerSecond, -4)
  expect(play.model.store('a').goodputBytesPerSecond).toBeCloseTo(store.goodputBytesPerSecond ?? 0, -4)
  expect(play.model.link().phi).toBeLessThan(1)
})

test('remaining time falls due with the rate: it grows while silent and stays finite', () => {
  const play = three()
  let last = play.of('a').expectedRemainingMs
  expect(last).toBeCloseTo(8_333, -3)
  for (let n = 0; n < 50; n++) {
    play.run(2_000, {})
    expect(play.of('a').expectedRemainingMs).toBeGreaterThanOrEqual(last)
    last = play.of('a').expectedRemainingMs
  }
  expect(Number.isFinite(last)).toBe(true)
})

test('a failure on a good link shortens the time between failures, one in an outage does not', () => {
  const good = three()
  good.model.sessionEnded({ nowMs: good.nowMs, session: 'a', outcome: 'failed' })
  expect(good.model.store('a').meanTimeBetweenFailuresMs).toBeLessThan(40_000)
  good.run(3_000, { b: ALL.b, c: ALL.c })
  expect(good.model.store('a').meanTimeBetweenFailuresMs).toBeLessThan(40_000)

  const out = three()
  const before = out.model.store('a').meanTimeBetweenFailuresMs
  out.run(4_000, {})
  out.model.sessionEnded({ nowMs: out.nowMs, session: 'a', outcome: 'failed' })
  expect(out.model.store('a').meanTimeBetweenFailuresMs).toBeGreaterThan(0.9 * before)
})

test('all failing at the same moment is taken back as the link', () => {
  const play = three()
  const before = play.model.store('a').meanTimeBetweenFailuresMs
  for (const session of ['a', 'b', 'c']) play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'failed' })
  play.run(1_000, {})
  expect(play.model.store('a').meanTimeBetweenFailuresMs).toBeCloseTo(before, 0)
})

test('a session taken over counts half against its store when it was to blame', () => {
  const play = three().run(1_500, { b: ALL.b, c: ALL.c })
  const clean = play.model.store('a').failuresPerSecond
  for (const session of ['a', 'b']) play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'takenOver' })
  expect(play.model.store('a').failuresPerSecond).toBeGreaterThan(2 * clean)
  expect(play.model.store('b').failuresPerSecond).toBeLessThan(1.1 * clean)
})

/** The end of an upload: everybody else has finished, and the last session's block does not arrive. */
function lastBlock(heard: readonly string[]): { play: Play; at: (gapMs: number) => RiskAssessment } {
  const play = three()
  const { model } = play
  for (const store of ['a', 'b', 'c']) model.requestRtt({ nowMs: play.nowMs, store, roundTripMs: 40 })
  for (const session of ['a', 'b', 'c']) model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'completed' })
  model.sessionStarted({ nowMs: play.nowMs, session: 'last', store: 'a', rangeBytes: 262_144 })
  const at = (gapMs: number): RiskAssessment => {
    play.run(gapMs, {}, () => {
      if (play.nowMs % 300 === 0) for (const store of heard) model.heard({ nowMs: play.nowMs, store })
    })
    return model.assess({ nowMs: play.nowMs, session: 'last', remainingBytes: 262_144 })
  }
  return { play, at }
}

test('a last block that is overdue while others answer straggles within a second and a half', () => {
  const { at } = lastBlock(['b', 'c'])
  const overdue = at(1_500)
  expect(overdue.straggle).toBeGreaterThanOrEqual(0.5)
  expect(overdue.blame.map(({ text }) => text)).toContain('what is missing is overdue, while others answer')
})

test('a last block that is overdue while nobody answers is the link’s', () => {
  const { at } = lastBlock([])
  const overdue = at(4_000)
  expect(Math.max(overdue.straggle, overdue.server)).toBeLessThan(0.2)
  expect(overdue.link).toBeGreaterThan(0.8)
})

test('a last block that silence has reached asks for witnesses within a second', () => {
  const { play, at } = lastBlock([])
  at(1_000)
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual(expect.arrayContaining(['a', 'b', 'c']))
})
