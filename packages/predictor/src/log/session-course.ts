import { countWhere, lastWhere } from './halving.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** The offset acknowledged at a time. */
export function offsetAt(session: SessionRun, elapsedMs: number): number {
  return lastWhere(session.acks, (ack) => ack.elapsedMs <= elapsedMs)?.offset ?? session.start
}

/** When the session had all of its bytes acknowledged: before it counts as completed, its blocks are verified. */
export function sentAllMs(session: SessionRun): number | undefined {
  return session.acks[countWhere(session.acks, ({ offset }) => offset < session.end)]?.elapsedMs
}

/** When bytes stopped to be due: all were acknowledged, or it ended. */
export function lastDueMs(session: SessionRun): number {
  return Math.min(sentAllMs(session) ?? session.endedMs, session.endedMs)
}

/** Since its start, without pauses. */
export function workedMs(run: UploadRun, session: SessionRun, atMs: number): number {
  const { startedMs } = session
  return Math.max(0, atMs - startedMs - run.pauses.withinMs(startedMs, atMs))
}

/** Whether the upload was paused, or its clock stood still, between the two times. */
export function isPausedWithin(run: UploadRun, fromMs: number, toMs: number): boolean {
  return run.pauses.withinMs(fromMs, toMs) > 0
}

/** P(link good) as it was thought then. A log that begins later: as at its beginning; without any: 1. */
export function pLinkGoodAt(run: UploadRun, elapsedMs: number): number {
  return (lastWhere(run.link, (state) => state.elapsedMs <= elapsedMs) ?? run.link[0])?.pGood ?? 1
}
