import { runsOf } from './collect-runs.js'
import { predictionsOf } from './evaluate.js'
import { countLink, linkRates } from './fit-link.js'
import { completionRatios, failuresOf, gapsOf, hazardOf } from './fit-sessions.js'
import { fitLogNormal, type LogNormal, type Observation } from './log-normal-fit.js'
import { type Learned, makeModel, type PredictorModel, type Provenance } from './model-file.js'
import { fitRecalibration, IDENTITY } from './platt.js'
import type { ReadLog } from './read-log.js'
import type { UploadRun } from './upload-run.js'

/** Guesses: with less, the prior is the better estimate. */
const NEEDED = {
  linkSeconds: 120,
  gaps: 50,
  startGaps: 10,
  transferSeconds: 60,
  completions: 20,
  /** Sessions in trouble, and sessions that never were: assessments of one are much the same. */
  outcomes: 20,
}
/** The predictor's own, told where nothing was learned: the median of a gap, and StallSuspicion's sigma floor. */
const PRIOR_GAP: LogNormal = { meanLog: Math.log(150), sigma: 0.6 }
const PRIOR_START_GAP: LogNormal = { meanLog: Math.log(150), sigma: 0.6 }
/** As planned, sigma as of the rates of healthy sessions. */
const PRIOR_COMPLETION: LogNormal = { meanLog: 0, sigma: 0.35 }

const NO_LINK = { goodSeconds: 0, badSeconds: 0, goodToBad: 0, badToGood: 0 }
const NO_FAILURES = { failures: 0, seconds: 0 }

/** Turns logs into priors and coefficients. Where there is too little of something, its prior stays, and `from` says so. */
export function fit(logs: readonly ReadLog[], fittedMs: number): PredictorModel {
  const runs = runsOf(logs)
  const gaps = runs.map(gapsOf)
  const failures = sumOf(NO_FAILURES, runs.map(failuresOf))
  const ratios = runs.flatMap(completionRatios)
  return makeModel({
    provenance: provenanceOf(logs, { runs, fittedMs, transferSeconds: failures.seconds }),
    link: learnLink(runs),
    gaps: learnLogNormal(
      gaps.flatMap(({ moving }) => moving),
      NEEDED.gaps,
      PRIOR_GAP,
    ),
    startGaps: learnLogNormal(
      gaps.flatMap(({ starting }) => starting),
      NEEDED.startGaps,
      PRIOR_START_GAP,
    ),
    hazard: learned(
      Math.round(failures.seconds),
      NEEDED.transferSeconds,
      () => hazardOf(failures),
      hazardOf(NO_FAILURES),
    ),
    completion: learnLogNormal(ratios, NEEDED.completions, PRIOR_COMPLETION),
    calibration: learnCalibration(runs),
  })
}

function learned<T extends object>(seen: number, needed: number, learn: () => T, prior: T): Learned<T> {
  return seen >= needed ? { from: 'log', seen, needed, ...learn() } : { from: 'prior', seen, needed, ...prior }
}

function learnLink(runs: readonly UploadRun[]): PredictorModel['link'] {
  const counts = sumOf(NO_LINK, runs.map(countLink))
  const seconds = counts.goodSeconds + counts.badSeconds
  return learned(seconds, NEEDED.linkSeconds, () => linkRates(counts), linkRates(NO_LINK))
}

/** `seen` counts what is not censored: how often the event itself was seen. */
function learnLogNormal(seen: readonly Observation[], needed: number, prior: LogNormal): Learned<LogNormal> {
  const count = seen.filter(({ isCensored }) => !isCensored).length
  return learned(count, needed, () => fitLogNormal(seen) ?? prior, prior)
}

function learnCalibration(runs: readonly UploadRun[]): PredictorModel['calibration'] {
  const { predictions } = predictionsOf(runs, 'all')
  const troubled = new Set(predictions.filter(({ failed }) => failed).map(({ group }) => group))
  const healthy = new Set(predictions.map(({ group }) => group)).size - troubled.size
  const rarer = Math.min(troubled.size, healthy)
  return learned(rarer, NEEDED.outcomes, () => fitRecalibration(predictions), IDENTITY)
}

function provenanceOf(
  logs: readonly ReadLog[],
  o: { runs: readonly UploadRun[]; fittedMs: number; transferSeconds: number },
): Provenance {
  const sessions = o.runs.flatMap((run) => [...run.sessions.values()])
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = 0
  for (const { startedAt = 0, lastMs } of o.runs) {
    fromMs = Math.min(fromMs, startedAt)
    toMs = Math.max(toMs, startedAt + lastMs)
  }
  return {
    logs: distinct(logs).map(({ report: { name, sha256, lines } }) => ({ name, sha256, lines })),
    uploads: o.runs.length,
    sessions: sessions.length,
    stores: new Set(sessions.map(({ store }) => store)).size,
    transferSeconds: Math.round(o.transferSeconds * 1000) / 1000,
    fromMs: o.runs.length === 0 ? 0 : Math.max(0, Math.round(fromMs)),
    toMs: Math.round(toMs),
    fittedMs: o.fittedMs,
  }
}

/** The same file twice is one. */
function distinct(logs: readonly ReadLog[]): ReadLog[] {
  return [...new Map(logs.toReversed().map((log) => [log.report.sha256, log])).values()].reverse()
}

function sumOf<Counts extends Readonly<Record<keyof Counts, number>>>(none: Counts, all: readonly Counts[]): Counts {
  const sum = { ...none }
  for (const counts of all) {
    for (const key of Object.keys(none) as (keyof Counts)[]) sum[key] = (sum[key] + counts[key]) as Counts[keyof Counts]
  }
  return sum
}
