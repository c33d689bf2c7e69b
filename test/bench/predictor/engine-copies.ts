import type { RiskAssessment } from 'upload-predictor'
import { decideRemedy } from 'uppy-adaptive/redundancy/hedge-policy'

/** Guess: TCP, TLS and the request of a copy. */
const SETUP_MS = 200
/** The engine's measure of a link that is not in doubt. */
const LINK_IS_GOOD = 0.5

export interface Surroundings {
  readonly remainingBytes: number
  /** What all sessions together are given, bytes per second. */
  readonly linkBytesPerSecond: number
  readonly inFlight: number
  readonly pLinkGood: number
}

type Assessment = Pick<RiskAssessment, 'server' | 'straggle' | 'connection' | 'phi' | 'gapMs' | 'expectedRemainingMs'>

/** A mirror takes this session's place: an equal share of what all are given, after a start. */
function alternativeMs({ remainingBytes, linkBytesPerSecond, inFlight }: Surroundings): number {
  return SETUP_MS + (1_000 * remainingBytes * inFlight) / Math.max(1, linkBytesPerSecond)
}

/**
 * The highest threshold at which the engine sends these bytes again: 0 where it does at none. As in its endgame:
 * nothing is unsent and the rest is too short to be split. What it gives up counts as copied: both send the rest elsewhere.
 */
export function copiedUpTo(found: Assessment, around: Surroundings): number {
  const remedy = decideRemedy(
    {
      ...found,
      ...{ remainingBytes: Math.min(1, around.remainingBytes), isCopy: false, hasCopy: false, hasOtherRoute: false },
      ...{
        answersElsewhere: false,
        answeredForMs: 0,
        answerMs: 0,
        toldForMs: found.gapMs,
        ageMs: Number.POSITIVE_INFINITY,
        storeIsSuspect: false,
        freshTries: 0,
      },
    },
    {
      ...{
        unassignedBytes: 0,
        linkRttMs: undefined,
        sessionsInFlight: around.inFlight,
        copiesInFlight: 0,
        budgetBytes: Number.POSITIVE_INFINITY,
      },
      linkIsGood: around.pLinkGood >= LINK_IS_GOOD,
      bestAlternativeMs: alternativeMs(around),
      copies: { threshold: 0, maxConcurrent: 1 },
    },
  )
  if (remedy.kind === 'takeOver') return 1
  return remedy.kind === 'copy' ? remedy.gain.worth : 0
}
