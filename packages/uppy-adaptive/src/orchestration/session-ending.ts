import type { FailureKind, SessionOutcome } from 'upload-predictor'
import type { PlannedSession } from '../partitioning/partition-plan.js'
import type { TransferContext } from './transfer-context.js'

/** How a session ended, as the model learns it. */
export type Ending =
  | { readonly outcome: Exclude<SessionOutcome, 'failed'> }
  | { readonly outcome: 'failed'; readonly failure: FailureKind }

/**
 * Tells the model how a session ended. One that its store had put off for load, and whose bytes go elsewhere now, failed
 * for load, whoever ended it; its store is taken for busy as long as it has said.
 */
export function tellEnding(
  { model, clock, runners }: Pick<TransferContext, 'model' | 'clock' | 'runners'>,
  { session, store }: Pick<PlannedSession, 'session' | 'store'>,
  ending: Ending,
): void {
  const nowMs = clock.now()
  const putOff = runners.get(session)?.putOff
  const isForLoad = putOff !== undefined && (ending.outcome === 'takenOver' || ending.outcome === 'failed')
  if (!isForLoad) return model.sessionEnded({ nowMs, session, ...ending })
  model.sessionEnded({ nowMs, session, outcome: 'failed', failure: 'load' })
  const { untilMs } = putOff
  model.busy({ nowMs, store, retryAfterMs: untilMs === undefined ? undefined : Math.max(0, untilMs - nowMs) })
}
