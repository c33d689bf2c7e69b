import { logistic } from '../logistic.js'
import { countWhere, lastWhere } from './halving.js'
import type { Because, Blamed, EventOf, Known } from './log-event.js'
import { type Decision, type SessionRun, type UploadRun, victimOf } from './upload-run.js'
import { bytes, percent, seconds, server } from './words.js'

/** An assessment is made about every 250 ms (METHODS): one that is older is not what the decision knew. */
const FRESH_MS = 1_000
/** Guess: less is not worth a word, of a risk and of its log-odds. */
const LEAST_SHARE = 0.01
const LEAST_LOG_ODDS = 0.05
/** Of so many times that a session was left as it was each is told, of those before their number (guess). */
const MOST_WITHHELD = 5
/** The best no-progress timer of common clients waits about so long. */
const TIMER_MS = 5_000

/** What was known when the decision was made, what had been withheld of its session, and when timers would have acted. */
export function knownAt(run: UploadRun, decision: Decision, withheld: readonly EventOf<'withheld'>[]): string[] {
  const victim = run.sessions.get(victimOf(decision))
  const link = lastWhere(run.link, ({ elapsedMs }) => elapsedMs <= decision.elapsedMs)
  return [
    ...(decision.known ? ownWords(run, decision, decision.known) : fromSamples(decision, victim)),
    ...(link ? [`link good with ${percent(link.pGood)}`] : []),
    ...before(withheld, decision),
    ...(victim ? timers(victim, decision) : []),
  ]
}

function ownWords(run: UploadRun, decision: Decision, known: Known): string[] {
  const { link, server: own, connection, straggle, late, phi, expectedMs, alternatives } = known
  const waits = connection === undefined ? '' : `, connection waits ${percent(connection)}`
  const now = `link ${percent(link)}, server ${percent(own)}${waits}, straggles ${percent(straggle)}`
  const others = alternatives.map(({ store, expectedMs: ms }) => `${seconds(ms)} at ${server(run.servers.get(store))}`)
  const elsewhere = others.length === 0 ? 'no other server could take it' : others.join(', ')
  return [
    `risk ${percent(decision.risk)}${splitWords(known)}, late ${percent(late)}`,
    `what is wrong now: ${now}`,
    ...('gapMs' in decision ? [`silent for ${seconds(decision.gapMs)}, phi ${phi.toFixed(1)}`] : []),
    `expected to take ${seconds(expectedMs)} more there; elsewhere: ${elsewhere}`,
    ...reasonWords(known),
  ]
}

/** On whom the risk is put, the greatest share first. */
function splitWords({ split }: Blamed): string {
  if (split === undefined) return ''
  const shares = Object.entries(split)
    .filter(([, part]) => part >= LEAST_SHARE)
    .sort(([, a], [, b]) => b - a)
    .map(([cause, part]) => `${cause} ${percent(part)}`)
  return shares.length === 0 ? '' : ` (${shares.join(', ')})`
}

/** Logs from before `usualLogOdds` have probabilities for weights. */
function reasonWords({
  because,
  blame,
  usualLogOdds,
}: Blamed & { because?: readonly Because[] | undefined }): string[] {
  const weigh = (weight: number): string =>
    usualLogOdds === undefined
      ? `weight ${weight.toFixed(2)}`
      : `${weight < 0 ? '\u2212' : '+'}${Math.abs(weight).toFixed(1)}`
  const isWorthAWord = ({ weight }: Because): boolean =>
    usualLogOdds === undefined || Math.abs(weight) >= LEAST_LOG_ODDS
  const usual =
    usualLogOdds === undefined ? [] : [`usual at its age: risk ${percent(logistic(usualLogOdds))}; to its log-odds add`]
  return [
    ...usual,
    ...(because ?? []).filter(isWorthAWord).map(({ text, weight }) => `because: ${text} (${weigh(weight)})`),
    ...(blame ?? []).map(({ cause, text, weight }) => `${cause}: ${text} (${percent(weight)})`),
  ]
}

/** Before decisions said themselves what they knew: the last assessment before. */
function fromSamples(decision: Decision, victim: SessionRun | undefined): string[] {
  const silent = 'gapMs' in decision ? `, silent for ${seconds(decision.gapMs)}` : ''
  const known = [`risk ${percent(decision.risk)}${silent}`]
  const sample = lastWhere(victim?.samples ?? [], ({ elapsedMs }) => elapsedMs <= decision.elapsedMs)
  const isFresh = sample !== undefined && decision.elapsedMs - sample.elapsedMs <= FRESH_MS
  if (isFresh) known.push(...describeSample(sample, decision.elapsedMs))
  const told = 'because' in decision ? { because: decision.because } : isFresh ? sample.assessment : {}
  known.push(...reasonWords(told))
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

/** The last times, in the order of time. */
function before(withheld: readonly EventOf<'withheld'>[], { elapsedMs: nowMs }: Decision): string[] {
  const count = countWhere(withheld, ({ elapsedMs }) => elapsedMs <= nowMs)
  const told = withheld
    .slice(Math.max(0, count - MOST_WITHHELD), count)
    .map(
      ({ elapsedMs, reason, risk }) =>
        `${seconds(nowMs - elapsedMs)} before, at risk ${percent(risk)}, left as it was: ${reason}`,
    )
  const more = count - told.length
  return more > 0 ? [`${more} times before that, left as it was`, ...told] : told
}

/** When it would have been noticed without a model: by a timer of no progress, by one of twice the planned time. */
function timers(victim: SessionRun, { elapsedMs: nowMs }: Decision): string[] {
  const count = countWhere(victim.acks, (ack) => ack.elapsedMs <= nowMs)
  const lastMs = victim.acks[count - 1]?.elapsedMs ?? victim.startedMs
  const nextMs = victim.acks[count]?.elapsedMs
  const name = `a timer of ${TIMER_MS / 1000} s without progress`
  const hasMoved = nextMs !== undefined && nextMs < lastMs + TIMER_MS
  const idle = hasMoved
    ? `${name} would not have noticed: more was acknowledged after ${seconds(nextMs - nowMs)}`
    : `${name} would have noticed ${distance(lastMs + TIMER_MS - nowMs)}`
  const { plannedMs } = victim
  if (plannedMs === undefined) return [idle]
  const dueMs = victim.startedMs + 2 * plannedMs - nowMs
  return [idle, `a timer of twice the planned ${seconds(plannedMs)} would have noticed ${distance(dueMs)}`]
}

function distance(ms: number): string {
  return ms >= 0 ? `${seconds(ms)} later` : `${seconds(-ms)} earlier`
}
