import { isPausedWithin, offsetAt, sentAllMs } from './session-course.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** METHODS, finding 3: a straggler takes over twice its planned time, so it has less than half when that is over. */
const STRAGGLER_SHARE = 1 / 2

/** `unknown`: the session was ended, paused or lost from sight before it could be told. */
export type Fate = 'trouble' | 'healthy' | 'unknown'

/**
 * What became of a session within the horizon of one assessment: `trouble` when it failed, or had less acknowledged at
 * the horizon's end than half of what its forecast promised (or of what was missing, where that is less).
 * Copies, splits and take-overs censor: a session they ended is in trouble when by then even its forecast rate could not
 * have brought it there in time, healthy when it was there already, and else unknown.
 */
export function fateOf(run: UploadRun, session: SessionRun, sample: SessionRun['samples'][number]): Fate {
  const { horizonMs, expectedRateBytesPerSecond: rate } = sample.assessment
  const fromMs = sample.elapsedMs
  const untilMs = fromMs + horizonMs
  const from = Math.max(sample.acked, offsetAt(session, fromMs))
  const promised = (rate * horizonMs) / 1000
  const target = from + STRAGGLER_SHARE * Math.min(promised, sample.end - from)
  const knownUntilMs = Math.min(untilMs, session.endedMs)
  const doneMs = sentAllMs(session)
  if (from >= sample.end) return 'unknown'
  if (offsetAt(session, knownUntilMs) >= target) return hasFailedBy(session, untilMs) ? 'trouble' : 'healthy'
  if (isPausedWithin(run, fromMs, knownUntilMs)) return 'unknown'
  if (hasFailedBy(session, untilMs)) return 'trouble'
  // split, and all that was left to it sent: at half its forecast or not
  if (doneMs !== undefined && doneMs <= untilMs) {
    const sent = session.end - from
    return sent < (STRAGGLER_SHARE * rate * (doneMs - fromMs)) / 1000 ? 'trouble' : 'healthy'
  }
  if (session.ending === 'cancelled') return 'unknown'
  const reachable = offsetAt(session, knownUntilMs) + (rate * (untilMs - knownUntilMs)) / 1000
  return reachable < target || knownUntilMs >= untilMs ? 'trouble' : 'unknown'
}

function hasFailedBy(session: SessionRun, untilMs: number): boolean {
  return session.ending === 'failed' && session.endedMs <= untilMs
}
