import { expect, test } from 'vitest'
import type { RiskAssessment } from './risk-assessment.js'
import { ALL, type Flow, Play, STEADY, three } from './testing/play.js'

const MIRRORS = ['a', 'b', 'c'] as const

test('two mirrors failing together are told from the link by the one that moves', () => {
  const play = three().run(1_500, { c: ALL.c })
  for (const session of ['a', 'b']) {
    expect(play.of(session).server).toBeGreaterThan(0.5)
    expect(play.of(session).link).toBeLessThan(0.3)
    play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'failed', failure: 'timeout' })
  }
  play.run(3_000, { c: ALL.c }, play.serverBelow(0.2, 'c'))
  for (const store of ['a', 'b']) expect(play.model.store(store).meanTimeBetweenFailuresMs).toBeLessThan(40_000)
})

test('one mirror failing alone is its own doing, and nobody else’s', () => {
  const play = three().run(1_500, { b: ALL.b, c: ALL.c })
  expect(play.of('a').server).toBeGreaterThan(0.5)
  play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure: 'connection' })
  play.run(3_000, { b: ALL.b, c: ALL.c }, play.serverBelow(0.2, 'b', 'c'))
  expect(play.model.store('a').meanTimeBetweenFailuresMs).toBeLessThan(40_000)
  for (const store of ['b', 'c']) expect(play.model.store(store).meanTimeBetweenFailuresMs).toBeGreaterThan(55_000)
  expect(play.model.link().pGood).toBeGreaterThan(0.9)
})

test('a tab put to sleep blames nobody and teaches nothing', () => {
  const play = three()
  const before = MIRRORS.map((store) => play.model.store(store))
  const { link } = play.model.toJSON()
  play.nowMs += 600_000
  play.model.localPause({ nowMs: play.nowMs, gapMs: 600_000 })
  for (const session of MIRRORS) {
    expect(play.of(session).risk).toBeLessThan(0.2)
    expect(play.of(session).gapMs).toBe(0)
  }
  expect(play.model.toJSON().link).toEqual(link)
  play.run(300, {}).run(3_000, ALL, play.serverBelow(0.2, ...MIRRORS))
  for (const [index, store] of MIRRORS.entries()) {
    const { failuresPerSecond, goodputBytesPerSecond = 0, lossShare } = play.model.store(store)
    expect(failuresPerSecond).toBeLessThanOrEqual(before[index]?.failuresPerSecond ?? 0)
    expect(goodputBytesPerSecond).toBeCloseTo(before[index]?.goodputBytesPerSecond ?? 0, -4)
    expect(lossShare).toBe(0)
  }
})

test('a paused upload is no failure: its sessions end as cancelled, and later ones begin without suspicion', () => {
  const play = three()
  const before = MIRRORS.map((store) => play.model.store(store).failuresPerSecond)
  for (const session of MIRRORS) play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'cancelled' })
  play.run(120_000, {})
  expect(MIRRORS.map((store) => play.model.store(store).failuresPerSecond)).toEqual(before)
  expect(play.model.link().phi).toBe(0)
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual([])
  play.start(...MIRRORS)
  for (const session of MIRRORS) expect(play.of(session).risk).toBeLessThan(0.3)
  play.run(3_000, ALL, play.serverBelow(0.2, ...MIRRORS))
})

for (const inUse of [1, 2, 3]) {
  test(`a last mile that is gone is the link’s with ${inUse} of the stores in use`, () => {
    const names = MIRRORS.slice(0, inUse)
    const flows: Record<string, Flow> = Object.fromEntries(names.map((name) => [name, ALL[name]]))
    for (const outageMs of [2_000, 10_000, 30_000]) {
      const play = new Play().start(...names).run(5_000, flows)
      play.run(outageMs, {}, play.serverBelow(0.2, ...names))
      for (const session of names) {
        expect(play.of(session).link).toBeGreaterThan(0.9)
        expect(play.of(session).straggle).toBeLessThan(0.5)
      }
      for (const session of names) {
        play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: 'failed', failure: 'timeout' })
      }
      for (const store of names) expect(play.model.store(store).meanTimeBetweenFailuresMs).toBeGreaterThan(50_000)
    }
  })
}

/** Answers of stores on new connections, each 300 ms. */
function answering(play: Play, ...stores: string[]): () => void {
  return () => {
    if (play.nowMs % 300 === 0) for (const store of stores) play.model.heard({ nowMs: play.nowMs, store })
  }
}

for (const inUse of [1, 2, 3]) {
  test(`a connection in back-off after an outage is no server’s fault with ${inUse} of the stores in use`, () => {
    const names = MIRRORS.slice(0, inUse)
    const flows: Record<string, Flow> = Object.fromEntries(names.map((name) => [name, ALL[name]]))
    for (const outageMs of [2_000, 5_000, 20_000]) {
      const play = new Play().start(...names).run(5_000, flows)
      play.run(outageMs, {})
      const { a, ...others } = flows
      const [answer, check] = [answering(play, ...names), play.serverBelow(0.2, ...names)]
      if (inUse === 1) play.model.probeLost({ nowMs: play.nowMs, store: 'a' })
      play.run(outageMs, others, () => {
        answer()
        check()
      })
      const { connection, blame } = play.of('a')
      expect(connection).toBeGreaterThan(0.5)
      expect(blame.map(({ cause, factor }) => `${cause} ${factor}`)).toContain('connection backOff')
      for (const session of Object.keys(others)) expect(play.of(session).connection).toBe(0)
      play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure: 'timeout' })
      play.run(3_000, others, answer)
      expect(play.model.store('a').meanTimeBetweenFailuresMs).toBeGreaterThan(50_000)
    }
  })
}

/** Asks whom the model wants asked; `dead` answers nothing within 1.5 s, the others within 50 ms. */
function asking(play: Play, dead: string): () => void {
  const asked = new Map<string, number>()
  return () => {
    const { model, nowMs } = play
    if (nowMs % 250 === 0) {
      for (const store of model.wantsProbe({ nowMs })) if (!asked.has(store)) asked.set(store, nowMs)
    }
    for (const [store, sinceMs] of asked) {
      if (store === dead ? nowMs < sinceMs + 1_500 : nowMs < sinceMs + 50) continue
      asked.delete(store)
      if (store === dead) model.probeLost({ nowMs, store })
      else model.heard({ nowMs, store })
    }
  }
}

test('a server that dies within an outage is found as soon as it leaves a question of after it unanswered', () => {
  for (const outageMs of [3_000, 10_000, 30_000]) {
    const play = three().run(outageMs, {})
    const { b, c } = ALL
    play.run(500, { b, c }, play.serverBelow(0.2, 'a'))
    play.run(2_500, { b, c }, asking(play, 'a'))
    expect(play.of('a').server).toBeGreaterThan(0.5)
    expect(play.of('a').connection).toBe(0)
    for (const session of ['b', 'c']) expect(play.of(session).server).toBeLessThan(0.2)
  }
})

test('a store whose answers the dark swallowed is asked anew as soon as anybody is heard again', () => {
  const play = three().run(1_600, {})
  const { model } = play
  for (let n = 0; n < 5; n++) {
    expect(model.wantsProbe({ nowMs: play.nowMs })).toContain('a')
    play.run(1_500, {})
    for (const store of MIRRORS) model.probeLost({ nowMs: play.nowMs, store })
    play.run(8_000, {})
  }
  model.wantsProbe({ nowMs: play.nowMs })
  play.run(1_500, { b: ALL.b, c: ALL.c })
  expect(model.wantsProbe({ nowMs: play.nowMs })).toContain('a')
})

test('a server that nobody asks, dead since an outage, is found once the outage explains its silence no more', () => {
  const play = three().run(5_000, {})
  const { b, c } = ALL
  play.run(5_000, { b, c }, play.serverBelow(0.2, 'a', 'b', 'c'))
  expect(play.of('a').connection).toBeGreaterThan(0.9)
  play.run(3_000, { b, c }, play.serverBelow(0.2, 'b', 'c'))
  expect(play.of('a').server).toBeGreaterThan(0.5)
})

test('an answer that comes late vouches for nothing: the link was dark while it was awaited', () => {
  const play = new Play().start('a')
  for (let n = 0; n < 9; n++) play.model.requestRtt({ nowMs: play.nowMs, store: 'a', roundTripMs: 40 })
  play.run(4_000, { a: STEADY }).run(600, {})
  expect(play.model.wantsProbe({ nowMs: play.nowMs })).toEqual(['a'])
  play.run(1_400, {})
  play.model.heard({ nowMs: play.nowMs, store: 'a' })
  play.run(1_500, {}, answering(play, 'a'))
  expect(play.of('a').server).toBeLessThan(0.2)
})

/** One store falls to a tenth; each question is answered after so long, if at all. */
function slowAlone(answerMs: number | undefined): RiskAssessment {
  const play = new Play().start('a')
  const { model } = play
  for (let n = 0; n < 9; n++) model.requestRtt({ nowMs: play.nowMs, store: 'a', roundTripMs: 40 })
  play.run(8_000, { a: STEADY })
  let askedMs: number | undefined
  play.run(3_000, { a: { ...STEADY, bytes: 6_000 } }, () => {
    const { nowMs } = play
    if (nowMs % 250 === 0 && askedMs === undefined && model.wantsProbe({ nowMs }).length > 0) askedMs = nowMs
    if (askedMs === undefined || answerMs === undefined || nowMs - askedMs < answerMs) return
    model.heard({ nowMs, store: 'a' })
    askedMs = undefined
  })
  return play.of('a')
}

test('slow with nobody to compare with: the server’s where small requests are prompt, the link’s where they queue', () => {
  const [prompt, queued, untold] = [slowAlone(80), slowAlone(1_000), slowAlone(undefined)]
  expect(prompt.straggle).toBeGreaterThan(0.7)
  expect(prompt.link).toBeLessThan(queued.link)
  expect(untold.straggle).toBeCloseTo(0.5, 1)
  expect(queued.straggle).toBeLessThan(0.3)
  expect(Math.abs(prompt.risk - queued.risk)).toBeLessThan(0.05)
})
