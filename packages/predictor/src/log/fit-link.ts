import type { LinkRates } from './model-file.js'
import { isPausedWithin, lastDueMs, offsetAt } from './session-course.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** METHODS, Risk: the prior rates per second, and a guess of its weight: as good as two minutes of watching. */
const PRIOR = { goodBadPerSecond: 1 / 50, badGoodPerSecond: 1 / 4 }
const PRIOR_SECONDS = { good: 120, bad: 24 }
/** The link filter's bad state: about a quarter of the usual rate. The border lies between, at a half in ln. */
const BAD_SHARE = 1 / 2
/** Guess: fewer seconds say nothing of what an upload usually reaches. */
const LEAST_SECONDS = 5
const SECOND_MS = 1000

type LinkCounts = Omit<LinkRates, 'goodBadPerSecond' | 'badGoodPerSecond'>

/**
 * How often the link turned bad, and good again: seconds in which all sessions together moved less than half of the
 * upload's median second are bad. Only seconds with sessions at two stores or more count: with one, its server's trouble
 * looks the same (METHODS, finding 1), and a single server's fault cannot take half of what three move. Where two stores
 * share the link evenly, one's stall just touches the border.
 */
export function countLink(run: UploadRun): LinkCounts {
  const counts = { goodSeconds: 0, badSeconds: 0, goodToBad: 0, badToGood: 0 }
  const seconds = movedPerSecond(run)
  if (seconds.length < LEAST_SECONDS) return counts
  const usual = seconds.map(({ bytes }) => bytes).sort((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? 0
  let before: { atMs: number; isBad: boolean } | undefined
  for (const { atMs, bytes } of seconds) {
    const isBad = bytes < BAD_SHARE * usual
    if (isBad) counts.badSeconds += 1
    else counts.goodSeconds += 1
    if (before && before.atMs === atMs - SECOND_MS && before.isBad !== isBad) {
      if (isBad) counts.goodToBad += 1
      else counts.badToGood += 1
    }
    before = { atMs, isBad }
  }
  return counts
}

/** Rates as means of Gamma posteriors: `(prior rate x prior seconds + turns) / (prior seconds + seconds)`. */
export function linkRates(counts: LinkCounts): LinkRates {
  const rate = (prior: number, priorSeconds: number, turns: number, seconds: number): number =>
    Math.min(1, (prior * priorSeconds + turns) / (priorSeconds + seconds))
  return {
    ...counts,
    goodBadPerSecond: rate(PRIOR.goodBadPerSecond, PRIOR_SECONDS.good, counts.goodToBad, counts.goodSeconds),
    badGoodPerSecond: rate(PRIOR.badGoodPerSecond, PRIOR_SECONDS.bad, counts.badToGood, counts.badSeconds),
  }
}

/** Whole seconds with bytes due at two stores or more all the time, and no pause. Each looks at the sessions in flight alone. */
function movedPerSecond(run: UploadRun): { atMs: number; bytes: number }[] {
  const starting = [...run.sessions.values()]
    .map((session) => ({ session, lastMs: lastDueMs(session) }))
    .sort((a, b) => b.session.startedMs - a.session.startedMs)
  let moving: typeof starting = []
  const seconds: { atMs: number; bytes: number }[] = []
  for (let atMs = SECOND_MS; atMs + SECOND_MS <= run.lastMs; atMs += SECOND_MS) {
    const untilMs = atMs + SECOND_MS
    moving = moving.filter(({ lastMs }) => lastMs >= atMs)
    for (let next = starting.at(-1); next && next.session.startedMs < untilMs; next = starting.at(-1)) {
      starting.pop()
      if (next.lastMs >= atMs) moving.push(next)
    }
    const due = moving.filter(({ session, lastMs }) => session.startedMs <= atMs && lastMs >= untilMs)
    if (new Set(due.map(({ session }) => session.store)).size < 2 || isPausedWithin(run, atMs, untilMs)) continue
    seconds.push({ atMs, bytes: moving.reduce((sum, { session }) => sum + movedWithin(session, atMs), 0) })
  }
  return seconds
}

function movedWithin(session: SessionRun, atMs: number): number {
  return offsetAt(session, atMs + SECOND_MS) - offsetAt(session, atMs)
}
