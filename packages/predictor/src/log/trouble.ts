import { isFailure } from '../outcome-ledger.js'
import { STRAGGLER_FACTOR } from '../straggler.js'
import { offsetAt, sentAllMs, workedMs } from './session-course.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** `untold`: it was ended by others, or lost from sight, before it could be told. `unplanned`: the log has no plan of it then. */
export type Fate = 'trouble' | 'healthy' | 'untold' | 'unplanned'

/**
 * What came of a session, by what `risk` says: `trouble` when it failed, or took over twice its plan in all, pauses left
 * out. The plan is the assessment's own, of all bytes that the session was to send then.
 *
 * Copies, splits, take-overs, a cancel and the log's end hide the rest. What is known then: the time gone over the plan
 * (age) and the share of the bytes that it has had acknowledged. It is `trouble` when the rest, even at the pace of the plan,
 * would have come after twice the plan: age + (1 - share) > 2. A session that was split and then sent what was left to it is
 * `healthy` when at its own pace the bytes given away would have come in time too: age / share <= 2. Else it is untold.
 */
export function fateOf(run: UploadRun, session: SessionRun, sample: SessionRun['samples'][number]): Fate {
  const { plannedMs } = sample.assessment
  if (plannedMs === undefined) return 'unplanned'
  const totalBytes = sample.acked - session.start + (sample.remainingBytes ?? sample.end - sample.acked)
  if (hasFailed(session)) return 'trouble'
  const doneMs = doneAtMs(session)
  const age = workedMs(run, session, doneMs ?? session.endedMs) / plannedMs
  const sentBytes = (doneMs === undefined ? offsetAt(session, session.endedMs) : session.end) - session.start
  const share = totalBytes > 0 ? Math.min(1, sentBytes / totalBytes) : 1
  if (doneMs !== undefined && age <= STRAGGLER_FACTOR * share) return 'healthy'
  // how slow our own side was says nothing of the server or the link
  return age + (1 - share) > STRAGGLER_FACTOR && !session.isLimitedByUs ? 'trouble' : 'untold'
}

/** As the risk model counts it: a refusal for load or a wrong configuration is no failure. */
export function hasFailed({ ending, learned }: SessionRun): boolean {
  if (ending !== 'failed') return false
  return learned === undefined || (learned.outcome === 'failed' && isFailure(learned.failure ?? 'connection'))
}

/** When nothing was left for it to do: it completed, or had sent all before others ended it. */
function doneAtMs(session: SessionRun): number | undefined {
  return session.ending === 'completed' ? session.endedMs : sentAllMs(session)
}
