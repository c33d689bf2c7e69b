import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Diagnosis } from './diagnosis.js'
import { type Cause, splitRisk } from './risk-split.js'
import { ALL, STEADY, three } from './testing/play.js'

const share = fc.double({ min: 0, max: 1, noNaN: true })
const diagnosis = fc.record({ link: share, server: share, connection: share, straggle: share }).map(
  (parts): Diagnosis => ({
    ...{ ...parts, late: 0, linkState: 0, allSilent: 0, slowTogether: 0, serverSilent: 0, history: 0, load: 0 },
    isOverdue: false,
  }),
)
const cause = fc.constantFrom<Cause>('link', 'server', 'connection', 'straggle')

test('the shares are at least 0 and add up to the risk', () => {
  fc.assert(
    fc.property(share, diagnosis, share, (risk, d, pStoreDown) => {
      const shares = Object.values(splitRisk(risk, d, pStoreDown))
      for (const one of shares) expect(one).toBeGreaterThanOrEqual(0)
      expect(shares.reduce((sum, one) => sum + one, 0)).toBeCloseTo(risk, 12)
    }),
  )
})

test('shares stand to each other as what is known of them, and only what nothing explains is open', () => {
  fc.assert(
    fc.property(share, diagnosis, cause, cause, (risk, d, a, b) => {
      const split = splitRisk(risk, d, 0)
      expect(split[a] * d[b]).toBeCloseTo(split[b] * d[a], 12)
      const said = d.link + d.server + d.connection + d.straggle
      expect(split.open).toBeCloseTo(Math.max(0, risk - said), 12)
    }),
  )
})

test('a likelier cause never has less of the same risk, and takes from the others', () => {
  fc.assert(
    fc.property(share, diagnosis, cause, share, (risk, d, which, by) => {
      const [before, after] = [d, { ...d, [which]: Math.min(1, d[which] + by) }].map((one) => splitRisk(risk, one, 0))
      expect(after?.[which]).toBeGreaterThanOrEqual((before?.[which] ?? 0) - 1e-12)
      for (const other of ['link', 'server', 'connection', 'straggle', 'open'] as const) {
        if (other !== which) expect(after?.[other]).toBeLessThanOrEqual((before?.[other] ?? 0) + 1e-12)
      }
    }),
  )
})

test('a store that is silent while others move has most of its session’s risk, a dark link of everybody’s', () => {
  const one = three().run(3_000, { b: ALL.b, c: ALL.c })
  const alone = one.of('a')
  expect(alone.split.server).toBeGreaterThan(alone.risk / 2)
  expect(one.of('b').split.server).toBeLessThan(0.1)
  const all = three().run(4_000, {})
  for (const session of ['a', 'b', 'c']) {
    const { risk, split } = all.of(session)
    expect(split.link).toBeGreaterThan(0.8 * risk)
  }
})

test('the blame names what a person sees: silence among others, slowness beside peers', () => {
  const silent = three().run(2_000, { b: ALL.b, c: ALL.c }).of('a')
  expect(silent.blame[0]).toMatchObject({
    ...{ cause: 'server', factor: 'serverSilent' },
    text: expect.stringMatching(/^silent 2\.0 s, 1\.\d s of it while others moved$/),
  })
  const slow = three()
    .run(4_000, { ...ALL, a: { ...STEADY, bytes: STEADY.bytes / 10 } })
    .of('a')
  expect(slow.blame[0]).toMatchObject({
    ...{ cause: 'straggle', factor: 'slow' },
    text: expect.stringMatching(/^at \d+ % of its forecast, others at (9|10)\d % of theirs$/),
  })
})
