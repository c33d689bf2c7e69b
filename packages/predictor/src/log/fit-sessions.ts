import type { Observation } from './log-normal-fit.js'
import type { Hazard } from './model-file.js'
import { isPausedWithin, lastDueMs, offsetAt, pLinkGoodAt, workedMs } from './session-course.js'
import { hasFailed } from './trouble.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** StallSuspicion's: shorter gaps are acknowledgements that came bunched. */
const LEAST_GAP_MS = 50
/** As the failure history starts: Gamma(0.25, 15 s), so that what a new store does is felt at once. */
const PRIOR: Hazard = { failures: 0.25, seconds: 15 }
/** Guess, as the risk model counts a take-over: suspicion is half a failure. */
const SUSPECTED_WEIGHT = 1 / 2

export interface Gaps {
  readonly moving: Observation[]
  readonly starting: Observation[]
}

/**
 * Gaps between acknowledgements, in ms, but none across a pause. The silence before a session's end is left out where no
 * acknowledgement ended it: it belongs to the failure, as `StallSuspicion` learns no gap that it judged one.
 */
export function gapsOf(run: UploadRun): Gaps {
  const gaps: Gaps = { moving: [], starting: [] }
  for (const session of run.sessions.values()) {
    let fromMs = session.startedMs
    for (const { elapsedMs } of session.acks) {
      const value = Math.max(LEAST_GAP_MS, elapsedMs - fromMs)
      const list = fromMs === session.startedMs ? gaps.starting : gaps.moving
      if (!isPausedWithin(run, fromMs, elapsedMs)) list.push({ value, isCensored: false })
      fromMs = elapsedMs
    }
  }
  return gaps
}

/**
 * Failures, each by how likely the link was good then, and the time in which bytes were due. A session that was taken
 * over, or whose copy won while it stood still, is half a failure: left alone, it might have gone on.
 */
export function failuresOf(run: UploadRun): { failures: number; seconds: number } {
  let failures = 0
  let seconds = 0
  const copiedMs = new Map<string, number>()
  for (const decision of run.decisions.toReversed()) {
    if (decision.type === 'copy') copiedMs.set(decision.of, decision.elapsedMs)
  }
  for (const session of run.sessions.values()) {
    seconds += Math.max(0, lastDueMs(session) - session.startedMs) / 1000
    failures += blameOf(session, copiedMs.get(session.session)) * pLinkGoodAt(run, session.endedMs)
  }
  return { failures, seconds }
}

/** `copiedMs`: when it was copied first. */
function blameOf(session: SessionRun, copiedMs: number | undefined): number {
  if (session.ending === 'failed') return hasFailed(session) ? 1 : 0
  if (session.ending === 'takenOver') return SUSPECTED_WEIGHT
  if (session.ending !== 'superseded' || copiedMs === undefined) return 0
  const hasMoved = offsetAt(session, session.endedMs) > offsetAt(session, copiedMs)
  return hasMoved ? 0 : SUSPECTED_WEIGHT
}

/** The logs' mean, as light as the prior: `b` stays, `a` is what gives the posterior mean. */
export function hazardOf({ failures, seconds }: { failures: number; seconds: number }): Hazard {
  const mean = (PRIOR.failures + failures) / (PRIOR.seconds + seconds)
  return { failures: mean * PRIOR.seconds, seconds: PRIOR.seconds }
}

/**
 * Actual over planned time, for what a split left to it. What was ended before all was sent is censored at the ratio of what
 * it took to what had been planned for all of it. Nothing of sessions without a plan, or whose pace was our own.
 */
export function completionRatios(run: UploadRun): Observation[] {
  return [...run.sessions.values()].flatMap((session) => {
    const ratio = completionRatio(run, session)
    return ratio === undefined ? [] : [ratio]
  })
}

function completionRatio(run: UploadRun, session: SessionRun): Observation | undefined {
  const { plannedMs, start, end, plannedEnd, ending } = session
  const isDone = ending === 'completed'
  const isCensored = ending === 'superseded' || ending === 'takenOver' || hasFailed(session)
  const tookMs = workedMs(run, session, session.endedMs)
  if (plannedMs === undefined || session.isLimitedByUs || tookMs <= 0 || !(isDone || isCensored)) return undefined
  const share = (end - start) / (plannedEnd - start)
  return share > 0 ? { value: tookMs / (plannedMs * share), isCensored } : undefined
}
