import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyOf, type Diagnosis, diagnose, type RiskEvidence } from './diagnosis.js'

const phi = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 40, noNaN: true }))
const share = fc.double({ min: 0, max: 1, noNaN: true })
const ratio = fc.double({ min: 0, max: 4, noNaN: true })
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const evidence: fc.Arbitrary<RiskEvidence> = fc.record({
  silence: fc
    .record({ gapMs: fc.double({ min: 0, max: 1e6, noNaN: true }), witnessed: share, phi, witnessedPhi: phi })
    .chain(({ witnessed, ...silence }) =>
      fc.record({ excusedPhi: phi, commonPhi: phi }).map((more) => ({
        ...{ ...silence, ...more, witnessedMs: witnessed * silence.gapMs },
      })),
    ),
  pLinkNotGood: share,
  load: share,
  pFailure: share,
  slowness: maybe(fc.record({ ratio, trust: share })),
  planRatio: maybe(share),
  late: maybe(share),
  peersRatio: maybe(ratio),
  answerStarts: maybe(fc.double({ min: 0, max: 20, noNaN: true })),
})

const PARTS = ['link', 'server', 'connection', 'straggle'] as const

test('every part is a probability, and none is above the risk that they come to without a plan', () => {
  fc.assert(
    fc.property(evidence, (e) => {
      const d = diagnose(e)
      for (const value of Object.values(d)) expect(Number(value) >= 0 && Number(value) <= 1).toBe(true)
      const risk = anyOf(d)
      for (const part of PARTS) expect(d[part]).toBeLessThanOrEqual(risk + 1e-9)
    }),
  )
})

/** Which part each kind of evidence speaks for; all else stays as it is. */
const SPEAKS_FOR: readonly [
  name: string,
  part: (typeof PARTS)[number],
  change: (e: RiskEvidence, by: number) => RiskEvidence,
][] = [
  ['silence that others witnessed', 'server', (e, by) => silence(e, { witnessedPhi: e.silence.witnessedPhi + by })],
  ['silence after an outage', 'connection', (e, by) => silence(e, { excusedPhi: e.silence.excusedPhi + by })],
  ['silence of everybody', 'link', (e, by) => silence(e, { commonPhi: e.silence.commonPhi + by })],
  ['load', 'server', (e, by) => ({ ...e, load: Math.min(1, e.load + by) })],
  ['a history of failures', 'server', (e, by) => ({ ...e, pFailure: Math.min(1, e.pFailure + by) })],
  ['a bad link', 'link', (e, by) => ({ ...e, pLinkNotGood: Math.min(1, e.pLinkNotGood + by) })],
  ['witnessed time of a silence', 'straggle', (e, by) => silence(e, { witnessedMs: e.silence.witnessedMs + 1e3 * by })],
]

for (const [name, part, change] of SPEAKS_FOR) {
  test(`more ${name} never lowers \`${part}\`, nor the risk, and raises no other part`, () => {
    fc.assert(
      fc.property(evidence, fc.double({ min: 0, max: 5, noNaN: true }), (e, by) => {
        const [less, more] = [diagnose(e), diagnose(change(e, by))]
        expect(more[part]).toBeGreaterThanOrEqual(less[part])
        expect(anyOf(more)).toBeGreaterThanOrEqual(anyOf(less) - 1e-12)
        for (const other of PARTS) if (other !== part) expect(more[other]).toBeLessThanOrEqual(less[other])
      }),
    )
  })
}

test('a slower rate never lowers the slowness, whoever is blamed for it, and peers as slow take it off the server', () => {
  fc.assert(
    fc.property(evidence, ratio, share, fc.double({ min: 0, max: 1, noNaN: true }), (e, own, trust, by) => {
      const slow = (r: number, peersRatio = e.peersRatio): Diagnosis =>
        diagnose({ ...e, peersRatio, slowness: { ratio: r, trust } })
      const all = (d: Diagnosis): number => d.straggle + d.slowTogether
      expect(all(slow(own * by))).toBeGreaterThanOrEqual(all(slow(own)) - 1e-12)
      expect(slow(own, own).straggle).toBeLessThanOrEqual(slow(own, own + by).straggle + 1e-12)
    }),
  )
})

function silence(e: RiskEvidence, change: Partial<RiskEvidence['silence']>): RiskEvidence {
  return { ...e, silence: { ...e.silence, ...change } }
}
