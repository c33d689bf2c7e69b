import { DEFAULT_THRESHOLD } from 'uppy-adaptive/redundancy/copy-gain'
import type { Scores } from './observed-run.js'

/** A rule that copies what is left of a session once its score reaches a threshold. */
export interface Policy {
  readonly name: string
  readonly isTimer: boolean
  readonly scoreOf: (scores: Scores) => number
  /** As it is used, not tuned. */
  readonly threshold?: number
}

/** The engine's option `redundancy.threshold`, and its neighbours. */
export const ENGINE_THRESHOLDS: readonly number[] = [0.5, 0.6, DEFAULT_THRESHOLD, 0.8, 0.9]

const engine = ENGINE_THRESHOLDS.map((threshold): Policy => {
  const name = `engine at ${threshold}${threshold === DEFAULT_THRESHOLD ? ', its default' : ''}`
  return { name, isTimer: false, scoreOf: ({ engine: upTo }) => upTo, threshold }
})

export const POLICIES: readonly Policy[] = [
  ...engine,
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
