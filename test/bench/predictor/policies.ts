import type { Scores } from './observed-run.js'

/** A rule that copies what is left of a session once its score reaches a threshold. */
export interface Policy {
  readonly name: string
  readonly isTimer: boolean
  readonly scoreOf: (scores: Scores) => number
}

export const POLICIES: readonly Policy[] = [
  { name: 'RiskModel, expected gain', isTimer: false, scoreOf: ({ gain }) => gain },
  { name: 'RiskModel, server and straggle', isTimer: false, scoreOf: ({ server }) => server },
  { name: 'RiskModel, server', isTimer: false, scoreOf: ({ dead }) => dead },
  { name: 'RiskModel, risk', isTimer: false, scoreOf: ({ risk }) => risk },
  { name: 'phi alone', isTimer: false, scoreOf: ({ phi }) => phi },
  { name: 'no-progress timer', isTimer: true, scoreOf: ({ gapMs }) => gapMs },
  { name: 'total time timer', isTimer: true, scoreOf: ({ elapsedMs }) => elapsedMs },
  { name: 'p90 timeout', isTimer: true, scoreOf: ({ p90 }) => p90 },
  { name: "Storj's rule", isTimer: true, scoreOf: ({ storj }) => storj },
]
