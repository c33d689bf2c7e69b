import { calibrationOf } from './calibration.js'
import type { FailureEvidence } from './failure-history.js'
import type { KnownTransitions } from './link-transitions.js'
import { type Priors, requirePriors } from './log/model-file.js'
import { recalibrate } from './log/platt.js'
import type { KnownRecalibration } from './recalibration.js'
import type { KnownGaps } from './stall-suspicion.js'
import type { StoreMemory } from './store-memory.js'

/** Guess: a fitted rhythm weighs as much as so many of a store's own gaps: half of its memory. */
const FITTED_GAPS = 10
/** Guess: a fitted spread of actual over planned time weighs as much as so many sessions: as the rate in flight does. */
const FITTED_COMPLETIONS = 8
/** As the completion survival has it: a ratio beyond says that the plan was no plan. */
const MOST_LOG_RATIO = Math.log(1_000)
/** METHODS: forgetting 0.995 a second holds 200 s: a fitted link counts no longer than one that was watched. */
const MOST_LINK_SECONDS = 200

/** What a store just met is taken to be. */
export interface StorePriors {
  readonly memory: Partial<Pick<StoreMemory, 'gaps' | 'startGaps' | 'completions'>>
  /** In place of the failure history's own prior. */
  readonly hazard: FailureEvidence | undefined
}

/** Where a model starts. */
export interface StartingPoint {
  readonly stores: StorePriors
  readonly transitions: KnownTransitions | undefined
  readonly calibration: Partial<KnownRecalibration>
}

/** Where logs were learned from, what they taught; the rest stays at its own prior. @throws PredictorError `invalidModel` */
export function startingPoint(priors: Priors = {}): StartingPoint {
  requirePriors(priors)
  const { gaps, startGaps, hazard, completion, calibration } = priors
  return {
    stores: {
      memory: {
        ...(gaps && { gaps: rhythm(gaps) }),
        ...(startGaps && { startGaps: rhythm(startGaps) }),
        ...(completion && { completions: typical(completion) }),
      },
      hazard,
    },
    transitions: transitions(priors),
    calibration: calibration ? { risk: calibrationOf((p) => recalibrate(p, calibration)) } : {},
  }
}

function rhythm({ meanLog, sigma }: { meanLog: number; sigma: number }): KnownGaps {
  return { meanLog: Math.max(0, meanLog), variance: sigma ** 2, gaps: FITTED_GAPS }
}

/** Outcomes with that mean and that spread. */
function typical({ meanLog, sigma }: { meanLog: number; sigma: number }): StoreMemory['completions'] {
  return Array.from({ length: FITTED_COMPLETIONS }, (_, n) => ({
    log: Math.max(-MOST_LOG_RATIO, Math.min(MOST_LOG_RATIO, n % 2 === 0 ? meanLog - sigma : meanLog + sigma)),
    censored: false,
  }))
}

/** Logs tell good seconds from bad ones; nothing of deep outages. */
function transitions({ link }: Priors): KnownTransitions | undefined {
  if (link === undefined) return undefined
  const { goodSeconds, badSeconds, goodToBad, badToGood } = link
  const good = Math.min(1, MOST_LINK_SECONDS / goodSeconds)
  const bad = Math.min(1, MOST_LINK_SECONDS / badSeconds)
  // each turn took a second at least
  return [
    [good * goodSeconds, good * Math.min(goodToBad, goodSeconds), 0],
    [bad * Math.min(badToGood, badSeconds), bad * badSeconds, 0],
    [0, 0, 0],
  ]
}
