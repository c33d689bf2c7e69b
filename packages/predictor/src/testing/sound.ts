import { expect } from 'vitest'
import type { RiskAssessment } from '../risk-assessment.js'

/** What holds of every assessment, whatever came before it. */
export function expectSound(a: RiskAssessment): void {
  const { calibrated, split } = a
  const parts = [a.risk, a.late, a.link, a.server, a.connection, a.straggle]
  for (const p of [...parts, ...Object.values(calibrated), ...Object.values(split)]) expect(p >= 0 && p <= 1).toBe(true)
  const { phi, gapMs, rateBytesPerSecond, expectedRateBytesPerSecond, expectedRemainingMs, horizonMs } = a
  for (const q of [phi, gapMs, rateBytesPerSecond, expectedRateBytesPerSecond, expectedRemainingMs, horizonMs]) {
    expect(Number.isFinite(q) && q >= 0).toBe(true)
  }
  expect(a.late).toBeLessThanOrEqual(a.risk)
  expect(Math.abs(Object.values(split).reduce((sum, share) => sum + share, 0) - a.risk)).toBeLessThan(1e-9)
  expectAddedUp(a)
  expectInOrder(a.because)
  expectInOrder(a.blame)
}

/** The weights beside what is usual come to the risk. */
function expectAddedUp({ risk, usualLogOdds, because }: RiskAssessment): void {
  const logOdds = because.reduce((sum, { weight }) => sum + weight, usualLogOdds)
  expect(Math.abs(1 / (1 + Math.exp(-logOdds)) - risk)).toBeLessThan(1e-9)
}

function expectInOrder(reasons: readonly { factor: string; weight: number; text: string }[]): void {
  const weights = reasons.map(({ weight }) => Math.abs(weight))
  expect(weights).toEqual(weights.toSorted((a, b) => b - a))
  expect(new Set(reasons.map(({ factor }) => factor)).size).toBe(reasons.length)
  for (const { weight, text } of reasons) {
    expect(Number.isFinite(weight)).toBe(true)
    expect(text).not.toMatch(/NaN|Infinity|undefined/)
  }
}
