import type { FailureKind, SessionOutcome } from 'upload-predictor'
import { PartitionHistory } from '../../partitioning/partition-history.js'
import type { PlannedSession } from '../../partitioning/partition-plan.js'
import type { TransferContext } from '../transfer-context.js'

/** How a session ended, as the model learns it. */
export type Ending =
  | { readonly outcome: Exclude<SessionOutcome, 'failed'> }
  | { readonly outcome: 'failed'; readonly failure: FailureKind }

/**
 * Tells the model how a session ended. One that its store had put off for load, and whose bytes go elsewhere now, failed
 * for load, whoever ended it; its store is taken for busy as long as it has said.
 */
export function tellEnding(
  context: Pick<TransferContext, 'model' | 'clock' | 'runners' | 'histories'>,
  planned: PlannedSession,
  ending: Ending,
): void {
  const { model, clock, runners } = context
  const { session, store } = planned
  const nowMs = clock.now()
  noteSize(context, planned, ending)
  const putOff = runners.get(session)?.putOff
  const isForLoad = putOff !== undefined && (ending.outcome === 'takenOver' || ending.outcome === 'failed')
  if (!isForLoad) return model.sessionEnded({ nowMs, session, ...ending })
  model.sessionEnded({ nowMs, session, outcome: 'failed', failure: 'load' })
  const { untilMs } = putOff
  model.busy({ nowMs, store, retryAfterMs: untilMs === undefined ? undefined : Math.max(0, untilMs - nowMs) })
}

/** For the size of the store's next partitions. One that was cut meanwhile, or ended by somebody's will, says nothing of it. */
function noteSize(
  { clock, runners, histories }: Pick<TransferContext, 'clock' | 'runners' | 'histories'>,
  { session, store, acked, end }: PlannedSession,
  { outcome }: Ending,
): void {
  const runner = runners.get(session)
  if (!runner) return
  const history = histories.get(store) ?? new PartitionHistory()
  histories.set(store, history)
  const { beganAtMs, aliveAtMs, planned } = runner
  if (outcome === 'failed' || outcome === 'takenOver')
    history.broken({ tookMs: clock.now() - beganAtMs, lostMs: clock.now() - aliveAtMs })
  else if (outcome === 'completed' && acked >= end && planned?.end === end)
    history.completed({ tookMs: aliveAtMs - beganAtMs, plannedMs: planned.ms })
}
