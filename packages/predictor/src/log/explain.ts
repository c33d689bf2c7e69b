import { knownAt } from './explain-known.js'
import { Heirs } from './heirs.js'
import type { EventOf } from './log-event.js'
import { offsetAt } from './session-course.js'
import { type Decision, type SessionRun, type UploadRun, victimOf } from './upload-run.js'
import { bytes, percent, seconds, server } from './words.js'

export interface Explanation {
  readonly upload: string
  readonly log: string
  readonly summary: string
  /** Wall clock, ms since 1970; undefined in an empty log. */
  readonly startedAt: number | undefined
  readonly decisions: readonly ExplainedDecision[]
  /** What the demo's script did meanwhile: only its logs tell. */
  readonly script: readonly { readonly elapsedMs: number; readonly text: string }[]
  /** Sessions that were in trouble, and that nothing was done about afterwards. */
  readonly left: readonly { readonly elapsedMs: number; readonly text: string }[]
  /** Sessions that failed, why, and who took the rest. */
  readonly failed: readonly { readonly elapsedMs: number; readonly text: string }[]
}

export interface ExplainedDecision {
  readonly elapsedMs: number
  readonly kind: Decision['type']
  /** What was done, and the reason given. */
  readonly done: string
  /** What was known then. */
  readonly known: readonly string[]
  readonly outcome: string
}

/** For one upload: each copy, split and take-over, what was known when it was started, and what came of it. */
export function explainRun(run: UploadRun): Explanation {
  const heirs = new Heirs(run.sessions.values())
  const withheld = bySession(run.withheld)
  const decisions = run.decisions.map((decision) => ({
    elapsedMs: decision.elapsedMs,
    kind: decision.type,
    done: describe(run, decision),
    known: knownAt(run, decision, withheld.get(victimOf(decision)) ?? []),
    outcome: decision.type === 'copy' ? outcomeOfCopy(run, decision) : outcomeOfMove({ run, heirs }, decision),
  }))
  const script = run.scripts.map(({ at, text }) => ({ elapsedMs: at - (run.startedAt ?? at), text }))
  const { id: upload, log, startedAt } = run
  return {
    ...{ upload, log, summary: summarise(run), startedAt },
    ...{ decisions, script, left: leftAlone(run), failed: failures(run, heirs) },
  }
}

function bySession(withheld: UploadRun['withheld']): Map<string, EventOf<'withheld'>[]> {
  const grouped = new Map<string, EventOf<'withheld'>[]>()
  for (const event of withheld) {
    const same = grouped.get(event.session)
    if (same) same.push(event)
    else grouped.set(event.session, [event])
  }
  return grouped
}

function failures(run: UploadRun, heirs: Heirs): Explanation['failed'] {
  return [...run.sessions.values()]
    .filter(({ ending }) => ending === 'failed')
    .map((session) => {
      const { endedMs, partition, server: index, end, cause } = session
      const from = offsetAt(session, endedMs)
      const lost = `${partition} failed at ${server(index)}, ${bytes(Math.max(0, end - from))} missing: ${cause ?? 'no cause'}`
      const next = heirs.heirOf(session, { from, to: end, sinceMs: endedMs })
      const taken = next && `; ${server(next.server)} began on the rest ${seconds(next.startedMs - endedMs)} later`
      return { elapsedMs: endedMs, text: `${lost}${taken ?? ''}` }
    })
}

function leftAlone(run: UploadRun): Explanation['left'] {
  const decidedMs = new Map(run.decisions.map((decision) => [victimOf(decision), decision.elapsedMs]))
  return run.withheld
    .filter(({ session, elapsedMs }) => (decidedMs.get(session) ?? Number.NEGATIVE_INFINITY) < elapsedMs)
    .map(({ elapsedMs, server: index, partition, reason, risk, gapMs }) => ({
      elapsedMs,
      text: `left ${partition} at ${server(index)} as it was (risk ${percent(risk)}, silent for ${seconds(gapMs)}): ${reason}`,
    }))
}

function summarise(run: UploadRun): string {
  const count = (type: Decision['type'], name: string): string => {
    const many = run.decisions.filter((decision) => decision.type === type).length
    return `${many === 0 ? 'no' : many} ${many === 1 ? name : name === 'copy' ? 'copies' : `${name}s`}`
  }
  const size = run.sizeBytes === undefined ? 'of unknown size' : `of ${bytes(run.sizeBytes)}`
  const end =
    run.end === undefined
      ? 'its log stops'
      : { committed: 'committed', uploaded: 'complete', cancelled: 'cancelled', error: 'failed' }[run.end]
  const servers = new Set([...run.sessions.values()].map(({ store }) => store)).size
  const parts = [count('copy', 'copy'), count('split', 'split'), count('takeOver', 'take-over')].join(', ')
  const failed = [...run.sessions.values()].filter(({ ending }) => ending === 'failed').length
  const sessions = `${run.sessions.size} sessions${failed > 0 ? ` (${failed} failed)` : ''}`
  return `${size}, ${sessions} at ${servers} servers, ${end} after ${seconds(run.lastMs)}: ${parts}`
}

function describe(run: UploadRun, decision: Decision): string {
  switch (decision.type) {
    case 'copy': {
      const original = run.sessions.get(decision.of)
      const amount = original ? bytes(original.end - offsetAt(original, decision.elapsedMs)) : 'a session'
      return `copied ${amount} of ${server(decision.from)} (${decision.partition}) to ${server(decision.server)}: ${decision.reason}`
    }
    case 'split':
      return `split ${decision.partition} at ${server(decision.server)}, gave away its last ${bytes(Math.max(0, decision.oldEnd - decision.newEnd))}: ${decision.reason}`
    case 'takeOver':
      return `took ${decision.partition} from ${server(decision.server)}: ${decision.reason}`
  }
}

function outcomeOfCopy(run: UploadRun, decision: EventOf<'copy'>): string {
  const copy = run.sessions.get(decision.session)
  const original = run.sessions.get(decision.of)
  const after = (session: SessionRun): string => seconds(session.endedMs - decision.elapsedMs)
  if (copy?.ending === 'completed') {
    const moved = original ? offsetAt(original, original.endedMs) - offsetAt(original, decision.elapsedMs) : 0
    const meanwhile = moved > 0 ? `had ${bytes(moved)} more acknowledged` : 'had nothing more acknowledged'
    return `the copy won after ${after(copy)}; the first ${meanwhile} meanwhile`
  }
  if (original?.ending === 'completed') return `the first won after ${after(original)}: the copy was not needed`
  if (copy?.ending === 'failed') return `the copy failed after ${after(copy)}: ${copy.cause ?? 'no cause'}`
  if (copy?.ending === 'takenOver') return `the copy was taken over in its turn after ${after(copy)}`
  if (copy?.ending === 'superseded') return `the copy was not needed any more after ${after(copy)}`
  return 'the log does not tell'
}

/** Of what was split off or taken over: whoever sent those bytes next. */
function outcomeOfMove(
  { run, heirs }: { run: UploadRun; heirs: Heirs },
  decision: EventOf<'split' | 'takeOver'>,
): string {
  const victim = run.sessions.get(decision.session)
  const from = decision.type === 'split' ? decision.newEnd : victim ? offsetAt(victim, decision.elapsedMs) : undefined
  const to = decision.type === 'split' ? decision.oldEnd : victim?.plannedEnd
  const sinceMs = decision.elapsedMs
  const next = heirs.heirOf(victim, { from: from ?? 0, to: to ?? 0, sinceMs })
  const told = next
    ? `${server(next.server)} began on it ${seconds(next.startedMs - decision.elapsedMs)} later and ${ended(next, decision.elapsedMs)}`
    : 'no session took it as far as the log tells'
  if (decision.type === 'takeOver' || !victim) return told
  return `${told}; the first ${ended(victim, decision.elapsedMs)}`
}

function ended(session: SessionRun, sinceMs: number): string {
  const words = {
    completed: 'completed',
    failed: 'failed',
    superseded: 'was superseded',
    takenOver: 'was taken over',
    cancelled: 'was cancelled',
    unknown: 'was in flight still when the log stops,',
  }
  return `${words[session.ending]} ${seconds(session.endedMs - sinceMs)} after the decision`
}
