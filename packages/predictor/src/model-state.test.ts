import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RiskModel } from './risk.js'
import { ALL, type Play, three } from './testing/play.js'
import { expectSound } from './testing/sound.js'

/** A model after some partitions at three stores, one of which failed. */
function used(): Play {
  const play = three()
  for (const store of ['a', 'b', 'c']) play.model.requestRtt({ nowMs: play.nowMs, store, roundTripMs: 40 })
  for (let n = 0; n < 80; n++) {
    for (const session of ['a', 'b', 'c']) {
      play.model.sessionEnded({ nowMs: play.nowMs, session, outcome: n % 5 === 1 ? 'superseded' : 'completed' })
    }
    play.start('a', 'b', 'c').run(700, ALL)
  }
  play.model.sessionEnded({ nowMs: play.nowMs, session: 'a', outcome: 'failed', failure: 'serverError' })
  return play
}
const restored = (play: Play, ageMs = 0): RiskModel =>
  RiskModel.fromJSON(JSON.stringify(play.model), { nowMs: 0, ageMs })

test('a model survives the end of a page', () => {
  const play = used()
  const model = restored(play)
  for (const store of ['a', 'b', 'c']) {
    const [was, is] = [play.model.store(store), model.store(store)]
    expect((is.goodputBytesPerSecond ?? 0) / (was.goodputBytesPerSecond ?? 1)).toBeCloseTo(1, 2)
    expect(is.requestRttMs).toBe(40)
    expect(is.rtoMs).toBeCloseTo(was.rtoMs, 0)
    expect(is.failuresPerSecond / was.failuresPerSecond).toBeCloseTo(1, 2)
  }
  const again = JSON.stringify(model)
  expect(again).toBe(JSON.stringify(RiskModel.fromJSON(again, { nowMs: 9, ageMs: 0 })))
})

test('it is small: under 700 bytes per store and 1 kB besides, and 32 stores at most', () => {
  const play = used()
  expect(JSON.stringify(play.model).length).toBeLessThan(3 * 700 + 1_000)
  for (let n = 0; n < 200; n++) play.model.heard({ nowMs: play.nowMs + n, store: `store ${n}` })
  const { stores } = play.model.toJSON()
  expect(stores.length).toBe(32)
  expect(stores.map(({ store }) => store)).toContain('store 199')
})

test('old history counts less: failures by half in ten minutes, and rates are asked anew', () => {
  const play = used()
  const cold = new RiskModel().store('a').failuresPerSecond
  const above = (ageMs: number): number => restored(play, ageMs).store('a').failuresPerSecond - cold
  expect(above(0)).toBeGreaterThan(above(600_000))
  expect(above(600_000)).toBeGreaterThan(above(6_000_000))
  expect(above(86_400_000)).toBeCloseTo(0, 6)
  expect(restored(play, 7_200_000).store('b').goodputBytesPerSecond).toBeUndefined()
  expect(restored(play, 0).store('b').goodputBytesPerSecond).toBeGreaterThan(100_000)
})

test('the first session of a restored model has a plan, and of an old one has not', () => {
  const lateOf = (model: RiskModel): number => {
    model.sessionStarted({ nowMs: 0, session: 's', store: 'b', rangeBytes: 3e6 })
    return model.assess({ nowMs: 0, session: 's', remainingBytes: 3e6 }).late
  }
  expect(lateOf(restored(used()))).toBeGreaterThan(0)
  expect(lateOf(restored(used(), 1e9))).toBe(0)
})

test('what is damaged or foreign is refused by a coded error that quotes it', () => {
  const good = JSON.parse(JSON.stringify(used().model))
  const [first] = good.stores
  const bad: [unknown, string][] = [
    ['{"format":', 'JSON'],
    [null, 'null'],
    [[], 'a list of 0'],
    [{}, 'missing'],
    [{ ...good, format: 'other' }, 'other'],
    [{ ...good, version: 2 }, '2'],
    [{ ...good, stores: 'x' }, '"x"'],
    [{ ...good, calibration: [[1], [], [], []] }, 'a list of 1'],
    [{ ...good, link: [[0, 0, 0]] }, 'a list of 1'],
    [{ ...good, link: new Array(3).fill([0, 0, -3]) }, '-3'],
    [{ ...good, stores: new Array(33).fill(first) }, 'a list of 33'],
    [{ ...good, stores: [{ ...first, store: 7 }] }, '7'],
    [{ ...good, stores: [{ ...first, failures: [-1, 3] }] }, '-1'],
    [{ ...good, stores: [{ ...first, gaps: [Number.NaN, 1, 1] }] }, 'NaN'],
    [{ ...good, stores: [{ ...first, completions: [1e9] }] }, '1000000000'],
    ['x'.repeat(300_000), '300000'],
  ]
  for (const [json, quoted] of bad) {
    expect(() => RiskModel.fromJSON(json, { nowMs: 0, ageMs: 0 })).toThrow(
      expect.objectContaining({ code: 'invalidState', message: expect.stringContaining(quoted) }),
    )
  }
  for (const foreign of [{ toString: 1, valueOf: 1 }, Object.create(null)]) {
    const refused = () => RiskModel.fromJSON({ format: foreign }, { nowMs: 0, ageMs: 0 })
    expect(refused).toThrow('state.format must be "upload-predictor", got an object')
  }
  expect(() => RiskModel.fromJSON(good, { nowMs: 0, ageMs: -1 })).toThrow('-1')
})

test('whatever is taken gives answers in their range', () => {
  const sound = fc.double({ min: 1, max: 50, noNaN: true })
  const any = fc.oneof(
    { weight: 60, arbitrary: sound },
    { weight: 1, arbitrary: fc.oneof(fc.double(), fc.constantFrom(0, 1, -1, 1e9, Number.MAX_VALUE, 50)) },
  )
  const numbers = (length: number) => fc.array(any, { minLength: length, maxLength: length })
  const store = fc.record({
    store: fc.constant('a'),
    failures: numbers(2),
    gaps: numbers(3),
    startGaps: numbers(3),
    requestRtt: fc.option(numbers(3), { nil: undefined }),
    goodput: fc.option(numbers(4), { nil: undefined }),
    partitions: fc.array(any, { maxLength: 5 }),
    completions: fc.array(fc.integer({ min: -1_501, max: 1_501 }), { maxLength: 64 }),
  })
  let taken = 0
  fc.assert(
    fc.property(store, fc.nat(), (one, ageMs) => {
      const json = {
        format: 'upload-predictor',
        version: 1,
        link: new Array(3).fill([0, 1, 2]),
        calibration: [[60], [], [], []].map((row) => [...row, ...new Array(31 - row.length).fill(0.5)]),
        stores: [one],
      }
      let model: RiskModel
      try {
        model = RiskModel.fromJSON(json, { nowMs: 0, ageMs })
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalidState' })
        return
      }
      taken += 1
      model.sessionStarted({ nowMs: 1, session: 's', store: 'a', rangeBytes: 1e6 })
      model.acknowledged({ nowMs: 500, session: 's', bytes: 5e5 })
      expectSound(model.assess({ nowMs: 700, session: 's', remainingBytes: 5e5 }))
    }),
    { numRuns: 500 },
  )
  expect(taken).toBeGreaterThan(100)
})
