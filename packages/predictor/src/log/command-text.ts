import type { Evaluation, Metrics } from './evaluate.js'
import type { Explanation } from './explain.js'
import type { Learned, PredictorModel } from './model-file.js'
import type { LogReport } from './read-log.js'
import { reliabilityText } from './reliability-picture.js'
import type { Overlap } from './separate-runs.js'

/** ms since 1970 as people read it: formatting a date takes a clock's knowledge, which comes in as a value. */
export type FormatTime = (atMs: number) => string

export interface Reading {
  readonly logs: readonly LogReport[]
  /** Events that stood after later ones. */
  readonly outOfOrder: number
  /** Events whose time fits neither what came before nor what came after. */
  readonly misdated: number
  readonly overlaps: readonly Overlap[]
}

/** What was read, and every reason why a line was not. */
export function reportText({ logs, outOfOrder, misdated, overlaps }: Reading): string {
  const lines = logs.map(({ name, lines, used, unused, missing, refused }) => {
    const left = refused.reduce((sum, { count }) => sum + count, 0)
    const whys = refused.map(
      ({ reason, count, firstLine, why }) => `\n    ${count} ${reason}, the first in line ${firstLine}: ${why}`,
    )
    return `${name}: ${lines} lines, ${used} used, ${unused} of no use here, ${left} left out${missing > 0 ? `, ${missing} missing` : ''}${whys.join('')}`
  })
  if (outOfOrder > 0) lines.push(`${outOfOrder} events stood out of order and were put back in their place`)
  if (misdated > 0) lines.push(`${misdated} events were left out: their time fits neither those before nor those after`)
  for (const { log, earlier, events } of overlaps)
    lines.push(`${log}: ${events} events stand in ${earlier} too, and count once`)
  return lines.join('\n')
}

export function modelText(model: PredictorModel, formatTime: FormatTime): string {
  const { uploads, sessions, stores, transferSeconds, fromMs, toMs } = model.provenance
  const { link, gaps, startGaps, hazard, completion, calibration } = model
  const milliseconds = (meanLog: number): string => `${Math.exp(meanLog).toFixed(0)} ms`
  return [
    `Learned from ${uploads} uploads, ${sessions} sessions at ${stores} servers, ${transferSeconds.toFixed(1)} s of transfer,`,
    `from ${formatTime(fromMs)} to ${formatTime(toMs)}`,
    part('link', link, 'seconds at two servers', [
      `good to bad ${link.goodBadPerSecond.toFixed(4)} per second, back ${link.badGoodPerSecond.toFixed(3)}`,
    ]),
    part('gaps', gaps, 'gaps', [`median ${milliseconds(gaps.meanLog)}, sigma ${gaps.sigma.toFixed(2)} in ln`]),
    part('startGaps', startGaps, 'starts', [
      `median ${milliseconds(startGaps.meanLog)}, sigma ${startGaps.sigma.toFixed(2)} in ln`,
    ]),
    part('hazard', hazard, 'seconds of transfer', [
      `a failure in ${(hazard.seconds / hazard.failures).toFixed(0)} s of transfer`,
    ]),
    part('completion', completion, 'sessions with a forecast', [
      `${Math.exp(completion.meanLog).toFixed(2)} of the plan, sigma ${completion.sigma.toFixed(2)} in ln`,
    ]),
    part('calibration', calibration, 'sessions of the rarer outcome', [
      `logit p' = ${calibration.slope.toFixed(2)} logit p ${calibration.intercept < 0 ? '-' : '+'} ${Math.abs(calibration.intercept).toFixed(2)}`,
    ]),
  ].join('\n')
}

function part(name: string, { from, seen, needed }: Learned<object>, of: string, what: readonly string[]): string {
  const why = from === 'log' ? `from ${seen} ${of}` : `the prior stays: ${seen} ${of}, ${needed} are needed`
  return `  ${name.padEnd(12)}${what.join('')} (${why})`
}

export function evaluationText({ copyRate, metrics, reliability }: Evaluation): string {
  const share = `${(copyRate * 100).toFixed(0)} %`
  const head = [
    '',
    'count',
    'trouble',
    'untold',
    'no plan',
    'AUC',
    'Brier',
    'skill',
    'log-loss',
    'ECE',
    `recall@${share}`,
    'precision',
  ]
  const rows = [head, ...metrics.map(metricsRow)]
  const table = rows.map((row) => row.map((cell, column) => pad(cell, column, head)).join('  '))
  const picture = reliability.length === 0 ? 'No assessment could be told.' : reliabilityText(reliability)
  const legend = [
    'trouble: the session failed, or took over twice its plan in all',
    'untold: ended by a copy, a split, a take-over, a pause or the end of the log before it could be told',
    'no plan: nothing was known yet to make one of, or the log is older than plans in logs',
  ]
  return [...table.map((row) => row.trimEnd()), ...legend, '', 'Reliability of all assessments', picture].join('\n')
}

function metricsRow(m: Metrics): string[] {
  const figure = (value: number | undefined): string => value?.toFixed(3) ?? '-'
  const scores = [m.auc, m.brier, m.brierSkill, m.logLoss, m.calibrationError]
  const copies = [m.atCopyRate?.recall, m.atCopyRate?.precision]
  const counts = [m.count, m.troubled, m.untold, m.unplanned].map(String)
  return [m.moment, ...counts, ...[...scores, ...copies].map(figure)]
}

function pad(cell: string, column: number, head: readonly string[]): string {
  return column === 0 ? cell.padEnd(8) : cell.padStart(Math.max(6, head[column]?.length ?? 0))
}

export function explanationText(explanation: Explanation, formatTime: FormatTime): string {
  const { upload, log, summary, startedAt, decisions, script, left, failed } = explanation
  const when = startedAt === undefined ? '' : `, begun ${formatTime(startedAt)}`
  const told = decisions.map(({ elapsedMs, done, known, outcome }) => ({
    elapsedMs,
    lines: [`${at(elapsedMs)} ${done}`, ...known.map((each) => `${INDENT}${each}`), `${INDENT}=> ${outcome}`],
  }))
  const done = script.map(({ elapsedMs, text }) => ({
    elapsedMs,
    lines: [`${at(elapsedMs)} (the demo's script: ${text})`],
  }))
  const alone = [...left, ...failed].map(({ elapsedMs, text }) => ({ elapsedMs, lines: [`${at(elapsedMs)} ${text}`] }))
  const all = [...told, ...done, ...alone].sort((a, b) => a.elapsedMs - b.elapsedMs)
  const nothing = decisions.length === 0 ? ['  Nothing was copied, split or taken over.'] : []
  return [`Upload ${upload} (${log}${when})`, `  ${summary}`, ...nothing, ...all.flatMap(({ lines }) => lines)].join(
    '\n',
  )
}

const INDENT = ' '.repeat(12)

function at(elapsedMs: number): string {
  return `${(elapsedMs / 1000).toFixed(2).padStart(8)} s `
}
