import { auc } from '../evaluation/auc.js'
import { expectedCalibrationError, type ReliabilityBin, reliabilityBins } from '../evaluation/calibration-error.js'
import { type AtCopyRate, atCopyRate } from '../evaluation/copy-rate.js'
import type { Prediction } from '../evaluation/prediction.js'
import { brier, brierSkill, logLoss } from '../evaluation/scores.js'
import { STRAGGLER_FACTOR } from '../straggler.js'
import type { PredictorModel } from './model-file.js'
import { priorsOf } from './model-file.js'
import { recalibrate } from './platt.js'
import { workedMs } from './session-course.js'
import { fateOf } from './trouble.js'
import type { SessionRun, UploadRun } from './upload-run.js'

/** METHODS, Risk: recall and precision at a 5 % hedge rate. */
const COPY_RATE = 0.05
/** METHODS, finding 3: at launch and at these shares of the planned time; and every assessment there is. */
const SHARES = { launch: 0, 'at 25 %': 0.25, 'at 50 %': 0.5, 'at 100 %': 1 } as const

export type Moment = keyof typeof SHARES | 'all'
export const MOMENTS: readonly Moment[] = ['launch', 'at 25 %', 'at 50 %', 'at 100 %', 'all']

export interface MomentPredictions {
  readonly predictions: readonly Prediction[]
  /** Assessments whose session was ended by others, or lost from sight, before it could be told. */
  readonly untold: number
  /** Assessments without a plan: nothing was known yet, or the log is older than plans in logs. */
  readonly unplanned: number
}

export interface Metrics {
  readonly moment: Moment
  readonly count: number
  readonly troubled: number
  readonly untold: number
  readonly unplanned: number
  readonly brier: number | undefined
  readonly logLoss: number | undefined
  readonly calibrationError: number | undefined
  /** These compare both outcomes: undefined where there was only one. */
  readonly auc: number | undefined
  readonly brierSkill: number | undefined
  readonly atCopyRate: AtCopyRate | undefined
}

export interface Evaluation {
  readonly copyRate: number
  readonly metrics: readonly Metrics[]
  /** Of all assessments. */
  readonly reliability: readonly ReliabilityBin[]
}

/** What the log's decisions knew against what became of each session; with a model, as its calibration corrects it. */
export function evaluate(runs: readonly UploadRun[], model?: PredictorModel): Evaluation {
  const map = model && priorsOf(model).calibration
  const at = (moment: Moment): MomentPredictions => {
    const found = predictionsOf(runs, moment)
    if (map === undefined) return found
    return { ...found, predictions: found.predictions.map((each) => ({ ...each, p: recalibrate(each.p, map) })) }
  }
  const all = at('all').predictions
  return {
    copyRate: COPY_RATE,
    metrics: MOMENTS.map((moment) => measure(moment, at(moment))),
    reliability: all.length === 0 ? [] : reliabilityBins(all),
  }
}

/** The risks of one moment of every session, each with what came of it. */
export function predictionsOf(runs: readonly UploadRun[], moment: Moment): MomentPredictions {
  const predictions: Prediction[] = []
  const left = { untold: 0, unplanned: 0 }
  for (const run of runs) {
    for (const session of run.sessions.values()) {
      for (const sample of samplesAt(run, session, moment)) {
        const fate = fateOf(run, session, sample)
        if (fate === 'untold' || fate === 'unplanned') left[fate] += 1
        else predictions.push({ p: sample.assessment.risk, failed: fate === 'trouble', group: session.session })
      }
    }
  }
  return { predictions, ...left }
}

/**
 * The first assessment at or after the share of the planned time, while bytes are due. Once twice the plan is over nothing
 * is predicted any more.
 */
function samplesAt(run: UploadRun, session: SessionRun, moment: Moment): SessionRun['samples'] {
  const age = ({ elapsedMs, assessment: { plannedMs } }: SessionRun['samples'][number]): number =>
    plannedMs === undefined ? 0 : workedMs(run, session, elapsedMs) / plannedMs
  const due = session.samples.filter((sample) => sample.acked < sample.end && age(sample) <= STRAGGLER_FACTOR)
  if (moment === 'all') return due
  const first = due.find((sample) => age(sample) >= SHARES[moment])
  return first === undefined ? [] : [first]
}

function measure(moment: Moment, { predictions, untold, unplanned }: MomentPredictions): Metrics {
  const count = predictions.length
  const troubled = predictions.filter(({ failed }) => failed).length
  const hasAny = count > 0
  const hasBoth = troubled > 0 && troubled < count
  return {
    moment,
    count,
    troubled,
    untold,
    unplanned,
    brier: hasAny ? brier(predictions) : undefined,
    logLoss: hasAny ? logLoss(predictions) : undefined,
    calibrationError: hasAny ? expectedCalibrationError(predictions) : undefined,
    auc: hasBoth ? auc(predictions) : undefined,
    brierSkill: hasBoth ? brierSkill(predictions) : undefined,
    atCopyRate: hasBoth ? atCopyRate(predictions, COPY_RATE) : undefined,
  }
}
