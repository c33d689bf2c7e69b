import type { RiskAssessment } from 'upload-predictor'
import type { StoreId } from '../../partitioning/partition-plan.js'
import type { RankedStore } from '../../redundancy/mirror-choice.js'
import { rounded } from './rounded.js'

/** What was known of a session when something was decided of it: the inputs of the decision, for the log. */
export interface Known {
  /** Its risk by cause, which adds up to it. */
  readonly split: RiskAssessment['split']
  /** What is wrong at that moment, each by itself. */
  readonly link: number
  readonly server: number
  readonly connection: number
  readonly straggle: number
  readonly late: number
  readonly phi: number
  /** Until the session has sent its missing bytes. */
  readonly expectedMs: number
  /** The other stores that could take these bytes now, and how long each would need for them: best first. */
  readonly alternatives: readonly { readonly store: StoreId; readonly expectedMs: number }[]
  /** Why the risk is what it is, in log-odds beyond the usual ones, and why it is put on whom. */
  readonly usualLogOdds: number
  readonly because: RiskAssessment['because']
  readonly blame: RiskAssessment['blame']
}

/** Beyond the best few nobody is asked. */
const MOST_ALTERNATIVES = 4

/** `risk` and `gapMs` stand in each decision's event itself. */
export function knownOf(
  assessment: RiskAssessment,
  alternatives: readonly RankedStore[],
): { risk: number; gapMs: number; known: Known } {
  const { risk, gapMs, link, server, connection, straggle, late, phi } = assessment
  const { split, usualLogOdds, because, blame } = assessment
  const expectedMs = assessment.expectedRemainingMs
  const best = alternatives.slice(0, MOST_ALTERNATIVES).map(({ store, expectedMs: ms }) => ({ store, expectedMs: ms }))
  return rounded({
    ...{ risk, gapMs },
    known: {
      ...{ split, link, server, connection, straggle, late, phi, expectedMs },
      ...{ alternatives: best, usualLogOdds, because, blame },
    },
  })
}
