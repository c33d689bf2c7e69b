import { RiskModel } from '../risk.js'
import { type Gathered, gather, runsOf } from './collect-runs.js'
import {
  evaluationText,
  explanationText,
  type FormatTime,
  modelText,
  type Reading,
  reportText,
} from './command-text.js'
import { type Evaluation, evaluate } from './evaluate.js'
import { explainRun } from './explain.js'
import { fit } from './fit.js'
import { CommandError, type Invocation } from './invocation.js'
import { type PredictorModel, parseModel, priorsOf } from './model-file.js'
import type { ReadLog } from './read-log.js'
import { reliabilitySvg } from './reliability-picture.js'
import { replay } from './replay.js'
import type { UploadRun } from './upload-run.js'
import { printable } from './words.js'

export interface CommandInput {
  readonly logs: readonly ReadLog[]
  /** Text of the file that `--model` names. */
  readonly model: string | undefined
  /** ms since 1970. */
  readonly nowMs: number
  readonly formatTime: FormatTime
}

export interface CommandOutput {
  readonly text: string
  readonly files: readonly { readonly path: string; readonly content: string }[]
}

interface Result {
  readonly json: object
  readonly text: string
  readonly files?: CommandOutput['files']
}

type Work = Exclude<Invocation, { command: 'help' }>

/** One command, from what was read to what is written. @throws CommandError, PredictorError `invalidModel` */
export function run(work: Work, input: CommandInput): CommandOutput {
  for (const { report } of input.logs) requireUsable(report)
  const gathered = gather(input.logs)
  const { runs } = gathered
  if (runs.length === 0) {
    const message = "no log tells of a session: what was known and done stands in the client's log, not in a server's"
    throw new CommandError('noUploads', message)
  }
  const result = { fit: runFit, evaluate: runEvaluate, explain: runExplain }[work.command](work, input, runs)
  const logs = input.logs.map(({ report }) => report)
  const reading = { logs, ...leftOut(gathered) }
  const text = work.json
    ? JSON.stringify({ ...reading, ...result.json }, null, 2)
    : printable(`${result.text}\n\n${reportText(reading)}`)
  return { text, files: result.files ?? [] }
}

function leftOut({ runs, overlaps }: Gathered): Omit<Reading, 'logs'> {
  const sum = (count: (run: UploadRun) => number) => runs.reduce((all, run) => all + count(run), 0)
  return { outOfOrder: sum((run) => run.outOfOrder), misdated: sum((run) => run.misdated), overlaps }
}

function requireUsable({ name, lines, used, refused }: ReadLog['report']): void {
  if (lines === 0) throw new CommandError('emptyLog', `${name} is empty: give the event log of an upload`)
  if (used > 0) return
  const first = refused[0] ? `; line ${refused[0].firstLine} ${refused[0].why}` : ''
  throw new CommandError(
    'foreignLog',
    `${name} is no event log of an upload: none of its ${lines} lines is of use${first}`,
  )
}

function runFit(work: Work, { logs, nowMs, formatTime }: CommandInput): Result {
  const model = fit(logs, nowMs)
  const path = work.out ?? ''
  return {
    json: { model },
    text: modelText(model, formatTime),
    files: [{ path, content: `${JSON.stringify(model, null, 2)}\n` }],
  }
}

function runEvaluate(work: Work, input: CommandInput, runs: readonly UploadRun[]): Result {
  const model = input.model === undefined ? undefined : parseModel(input.model)
  const again = work.replay ? replayLogs(input.logs, model) : { runs, notes: [] }
  const evaluation = evaluate(again.runs, model)
  requirePlans(evaluation)
  const notes = [...again.notes, ...(model ? notesOf(model, input.logs) : [])]
  return {
    json: { ...evaluation, notes },
    text: [evaluationText(evaluation), ...notes.map((note) => `Note: ${note}`)].join('\n'),
    files: work.svg === undefined ? [] : [{ path: work.svg, content: reliabilitySvg(evaluation.reliability) }],
  }
}

function requirePlans({ metrics }: Evaluation): void {
  const { count = 0, untold = 0, unplanned = 0 } = metrics.find(({ moment }) => moment === 'all') ?? {}
  if (unplanned === 0 || count + untold > 0) return
  const why =
    'these logs are older than plans in logs (--replay makes plans anew), or nothing was known yet to make one of'
  throw new CommandError('noPlan', `none of the ${unplanned} assessments has a plan to judge by: ${why}`)
}

/** The runs as this version's model would have seen them: told what the logs tell, and starting from `model`, or where the client's did. */
function replayLogs(
  logs: readonly ReadLog[],
  model: PredictorModel | undefined,
): { runs: UploadRun[]; notes: string[] } {
  const start = model && (() => new RiskModel({ priors: priorsOf(model) }))
  const replayed = logs.map(({ report, events }) => ({ report, ...replay(events, start) }))
  const sum = (count: (one: (typeof replayed)[number]) => number) => replayed.reduce((all, one) => all + count(one), 0)
  const assessed = sum((one) => one.assessed)
  const left = sum((one) => one.left)
  const missing = sum((one) => one.report.missing)
  if (assessed === 0) {
    const message = 'these logs do not tell what the model was told: logs do since their events have numbers ("n")'
    throw new CommandError('notReplayable', message)
  }
  const notes = [
    `${assessed} assessments are this version's, made anew from what the log tells`,
    ...(left > 0 ? [`${left} assessments are as they were logged: their log lacks the start of their sessions`] : []),
    ...(missing > 0 ? [`${missing} numbered events are missing: what was made anew did not hear of them`] : []),
  ]
  return { runs: runsOf(replayed), notes }
}

/** What a model cannot show here. */
function notesOf(model: PredictorModel, logs: readonly ReadLog[]): string[] {
  const learnedFrom = new Set(model.provenance.logs.map(({ sha256 }) => sha256))
  const same = logs.filter(({ report }) => learnedFrom.has(report.sha256)).map(({ report }) => report.name)
  const flatters = same.length === 0 ? [] : [`the model has learned from ${same.join(', ')}: these figures flatter it`]
  const { from, seen, needed } = model.calibration
  const none = `the model has no calibration (${seen} of ${needed} outcomes): the risks are as they were logged`
  return from === 'log' ? flatters : [...flatters, none]
}

function runExplain(work: Work, { formatTime }: CommandInput, runs: readonly UploadRun[]): Result {
  const wanted = work.upload === undefined ? runs : runs.filter(({ id }) => id === work.upload)
  if (wanted.length === 0) {
    const ids = [...new Set(runs.map(({ id }) => id))].slice(0, 10).join(', ')
    throw new CommandError('unknownUpload', `no upload ${JSON.stringify(work.upload)} in these logs; there are: ${ids}`)
  }
  const uploads = wanted.map(explainRun)
  return { json: { uploads }, text: uploads.map((each) => explanationText(each, formatTime)).join('\n\n') }
}
