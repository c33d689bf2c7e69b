import { offsetAt } from './session-course.js'
import type { Decision, SessionRun, UploadRun } from './upload-run.js'

export interface Explanation {
  readonly upload: string
  readonly log: string
  readonly summary: string
  /** Wall clock, ms since 1970; undefined in an empty log. */
  readonly startedAt: number | undefined
  readonly decisions: readonly ExplainedDecision[]
  /** What the demo's script did meanwhile: only its logs tell. */
  readonly script: readonly { readonly elapsedMs: number; readonly text: string }[]
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

/** An assessment is made about every 250 ms (METHODS): one that is older is not what the decision knew. */
const FRESH_MS = 1_000

/** For one upload: each copy, split and take-over, what was known when it was started, and what came of it. */
export function explainRun(run: UploadRun): Explanation {
  const decisions = run.decisions.map((decision) => ({
    elapsedMs: decision.elapsedMs,
    kind: decision.type,
    done: describe(run, decision),
    known: knownAt(run, decision),
    outcome: decision.type === 'copy' ? outcomeOfCopy(run, decision) : outcomeOfMove(run, decision),
  }))
  const script = run.scripts.map(({ at, text }) => ({ elapsedMs: at - (run.startedAt ?? at), text }))
  return { upload: run.id, log: run.log, summary: summarise(run), startedAt: run.startedAt, decisions, script }
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
      : { committed: 'committed', cancelled: 'cancelled', error: 'failed' }[run.end]
  const servers = new Set([...run.sessions.values()].map(({ store }) => store)).size
  const parts = [count('copy', 'copy'), count('split', 'split'), count('takeOver', 'take-over')].join(', ')
  return `${size}, ${run.sessions.size} sessions at ${servers} servers, ${end} after ${seconds(run.lastMs)}: ${parts}`
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

function knownAt(run: UploadRun, decision: Decision): string[] {
  const victim = run.sessions.get(decision.type === 'copy' ? decision.of : decision.session)
  const silent = 'gapMs' in decision ? `, silent for ${seconds(decision.gapMs)}` : ''
  const known = [`risk ${percent(decision.risk)}${silent}`]
  const sample = victim?.samples.findLast(({ elapsedMs }) => elapsedMs <= decision.elapsedMs)
  const isFresh = sample !== undefined && decision.elapsedMs - sample.elapsedMs <= FRESH_MS
  if (isFresh) known.push(...describeSample(sample, decision.elapsedMs))
  const because = decision.type === 'copy' ? decision.because : isFresh ? sample.assessment.because : []
  for (const { text, weight } of because) known.push(`because: ${text} (weight ${weight.toFixed(2)})`)
  const link = run.link.findLast(({ elapsedMs }) => elapsedMs <= decision.elapsedMs)
  if (link) known.push(`link good with ${percent(link.pGood)}`)
  if (!isFresh) known.push('the log has no assessment of this session just before')
  return known
}

function describeSample({ assessment, acked, end, elapsedMs }: SessionRun['samples'][number], nowMs: number): string[] {
  const { link, server: own, straggle, expectedRemainingMs } = assessment
  return [
    `${seconds(nowMs - elapsedMs)} before: link ${percent(link)}, server ${percent(own)}, straggles ${percent(straggle)}`,
    `${bytes(Math.max(0, end - acked))} missing, expected to take ${seconds(expectedRemainingMs)}`,
  ]
}

function outcomeOfCopy(run: UploadRun, decision: Extract<Decision, { type: 'copy' }>): string {
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
function outcomeOfMove(run: UploadRun, decision: Extract<Decision, { type: 'split' | 'takeOver' }>): string {
  const victim = run.sessions.get(decision.session)
  const from = decision.type === 'split' ? decision.newEnd : victim ? offsetAt(victim, decision.elapsedMs) : undefined
  const to = decision.type === 'split' ? decision.oldEnd : victim?.plannedEnd
  const heirs = [...run.sessions.values()].filter(
    ({ startedMs, start, plannedEnd, session }) =>
      session !== decision.session && startedMs >= decision.elapsedMs && start < (to ?? 0) && plannedEnd > (from ?? 0),
  )
  const next = heirs[0]
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

function server(index: number | undefined): string {
  return index === undefined ? 'a server' : index === 0 ? 'the primary' : `mirror ${index}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  return count < 1024 ** 2 ? `${Math.round(count / 1024)} KiB` : `${(count / 1024 ** 2).toFixed(1)} MiB`
}
