import type { Estimate } from './auc-over-traces.js'
import { type InstantMeasures, TRACE_COLUMNS } from './measures.js'
import type { OutageStallRow } from './outage-stalls.js'
import type { OutageRow } from './outages.js'
import { ENGINE_THRESHOLDS } from './policies.js'
import type { PredictorReport } from './predictor-report.js'
import { LOGISTIC } from './predictors.js'

/** The report as Markdown tables, which read well in a terminal too. */
export function tablesOf(report: PredictorReport): string {
  return [
    ...report.instants.map(instantTable),
    splitTable(report.instants),
    decisionTablesOf(report),
    outageTable(report.outages),
    outageStallTable(report.outageStalls),
    calibrationTable(report.instants),
    traceTable(report.instants),
    costLine(report),
  ].join('\n\n')
}

type Decisions = Pick<PredictorReport, 'decisions' | 'bestTimer' | 'traces' | 'outages'>

export function decisionTablesOf(report: Decisions): string {
  const tables = [decisionTable(report), decisionsByLink(report), decisionsByStores(report)]
  return [...tables, outageCopiesTable(report.outages)].join('\n\n')
}

const shown = (value: number | undefined, digits = 3) =>
  value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits)

const percent = (value: number | undefined) =>
  value === undefined || Number.isNaN(value) ? '–' : `${(100 * value).toFixed(1)} %`

const interval = (one: Estimate | undefined) =>
  one ? `${shown(one.value)} (${shown(one.low)}–${shown(one.high)})` : '–'

const signed = (one: Estimate | undefined) => {
  const sign = (value: number) => `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(3)}`
  return one ? `${sign(one.value)} (${sign(one.low)} to ${sign(one.high)})` : '–'
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = line(head.map((_, at) => (at === 0 ? '---' : '---:')))
  return [`**${title}**`, '', line(head), rule, ...rows.map(line)].join('\n')
}

const instantName = (instant: number) => (instant === 0 ? 'at launch' : `at ${100 * instant} % of the planned time`)

function instantTable({ instant, cases, troubled, rows }: InstantMeasures): string {
  const title = `Predictions ${instantName(instant)}: ${cases} sessions, ${percent(troubled / cases)} of them troubled`
  const head = ['Predictor', 'AUC', `less ${LOGISTIC}`, 'Brier', 'skill', 'log-loss', 'ECE', 'recall', 'precision']
  return table(
    title,
    head,
    rows.map((row) => [
      row.predictor,
      interval(row.auc),
      row.predictor === LOGISTIC ? '' : signed(row.gain),
      shown(row.brier, 4),
      shown(row.skill),
      shown(row.logLoss),
      shown(row.ece),
      percent(row.recall),
      percent(row.precision),
    ]),
  )
}

const SPLIT_COLUMNS = ['RiskModel', 'RiskModel, server and straggle', ...TRACE_COLUMNS.slice(1)]

function splitTable(instants: readonly InstantMeasures[]): string {
  const rows = instants.flatMap(({ splits }) =>
    splits.map(({ instant, split, troubled, aucs }) => [
      `${instantName(instant)}, ${split}`,
      `${troubled}`,
      ...SPLIT_COLUMNS.map((name) => interval(aucs.find(({ predictor }) => predictor === name)?.auc)),
    ]),
  )
  return table(
    'AUC by cause of the trouble, against all healthy sessions',
    ['Trouble', 'sessions', ...SPLIT_COLUMNS],
    rows,
  )
}

function decisionTable({ decisions, bestTimer }: Decisions): string {
  const timers = decisions.filter(({ isTimer }) => isTimer).map(({ policy }) => policy)
  const head = [
    'Policy',
    'threshold',
    'extra bytes',
    'time lost',
    'delay to others',
    `lost, over ${bestTimer}`,
    'both, over it',
    'copies',
    'recall, server',
    'link-caused copied',
    'precision',
  ]
  const rows = decisions.map((one) => [
    one.policy,
    Number(one.threshold.toPrecision(3)).toString(),
    percent(one.extraShare),
    `${shown(one.lostMs / 1_000, 0)} s`,
    `${shown(one.delayMs / 1_000, 0)} s`,
    shown(one.overBestTimer, 2),
    shown(one.bothOverBestTimer, 2),
    `${one.copies}`,
    percent(one.recallServer),
    percent(one.recallLink),
    percent(one.precision),
    ...timers.map((timer) => seconds(one.leadsMs[timer])),
  ])
  return table(
    'Decisions: every policy but the engine tuned to 3 % of extra bytes on all other links',
    [...head, ...timers.map((timer) => `lead on ${timer}`)],
    rows,
  )
}

function decisionsByLink({ decisions, bestTimer, traces }: Decisions): string {
  const head = ['Link', ...decisions.map(({ policy }) => policy)]
  const rows = traces.map((trace) => [trace, ...decisions.map(({ overByTrace }) => shown(overByTrace[trace], 2))])
  return table(`Time lost over that of the ${bestTimer}, by link`, head, rows)
}

function decisionsByStores({ decisions }: Decisions): string {
  const head = ['Stores in use', ...decisions.map(({ policy }) => policy)]
  const counts = [...new Set(decisions.flatMap(({ lostByStores }) => Object.keys(lostByStores)))].sort()
  const cells = (count: string) => decisions.map(({ lostByStores }) => seconds(lostByStores[count]))
  return table(
    'Time lost, by stores in use',
    head,
    counts.map((count) => [count, ...cells(count)]),
  )
}

const seconds = (ms: number | undefined) => (ms === undefined ? '–' : `${shown(ms / 1_000, 1)} s`)

function outageTable(outages: readonly OutageRow[]): string {
  const lengths = [...new Set(outages.map(({ outageS }) => outageS))]
  const cell = (rows: readonly OutageRow[]) => {
    const sum = (of: (row: OutageRow) => number) => rows.reduce((all, row) => all + of(row), 0)
    return `${sum(({ crossed }) => crossed)} of ${sum(({ sessions }) => sessions)}`
  }
  const kinds = [false, true].flatMap((backsOff) => [1, 2, 3].map((stores) => ({ backsOff, stores })))
  const rows = kinds.map(({ backsOff, stores }) => {
    const own = outages.filter((row) => row.stores === stores && row.backsOff === backsOff)
    const resume = backsOff ? "at TCP's next try" : 'at once'
    return [
      `${stores}, connections resume ${resume}`,
      ...lengths.map((length) => cell(own.filter(({ outageS }) => outageS === length))),
      cell(own),
    ]
  })
  const head = ['Stores in use', ...lengths.map((length) => `${length} s`), 'all']
  return table('Last-mile outages: sessions whose server part crosses 0.5', head, rows)
}

function outageCopiesTable(outages: readonly OutageRow[]): string {
  const rows = [1, 2, 3].map((stores) => {
    const own = outages.filter((row) => row.stores === stores)
    const sum = (of: (row: OutageRow) => number) => own.reduce((all, row) => all + of(row), 0)
    const copied = ENGINE_THRESHOLDS.map((threshold) => `${sum((row) => row.copied[threshold] ?? 0)}`)
    return [`${stores}`, `${sum(({ sessions }) => sessions)}`, ...copied]
  })
  const head = ['Stores in use', 'sessions', ...ENGINE_THRESHOLDS.map((threshold) => `threshold ${threshold}`)]
  return table('Last-mile outages: sessions that the engine would send again while the link is out', head, rows)
}

function outageStallTable(stalls: readonly OutageStallRow[]): string {
  const names = { storeStall: 'the store', connectionStall: 'its connection' } as const
  const rows = stalls.map((row) => [
    `${names[row.kind]} stalls ${row.beginning}, ${row.stores} stores in use`,
    `${row.outageS} s`,
    `${row.stalls}`,
    ...[row.blamedMs, row.noticedMs].flatMap((ms) => [seconds(quantile(ms, 0.5)), seconds(quantile(ms, 0.9))]),
  ])
  const head = [
    'True stalls in or after an outage',
    'outage',
    'stalls',
    '`server` 0.5',
    'p90',
    'or `connection`',
    'p90',
  ]
  return table('How long after the outage a true stall of a server or connection is seen: median and p90', head, rows)
}

const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]

function calibrationTable(instants: readonly InstantMeasures[]): string {
  const rows = instants.map(({ instant, ece, bins }) => [
    instantName(instant),
    interval(ece),
    bins.map(({ predicted, observed }) => `${shown(predicted, 2)}→${shown(observed, 2)}`).join(' '),
  ])
  const head = ['Ours', 'ECE', 'predicted→observed, ten bins of equal count']
  return table('Calibration after Platt on the first half of the runs, of the second half', head, rows)
}

function traceTable(instants: readonly InstantMeasures[]): string {
  const rows = instants.flatMap(({ instant, traces }) =>
    traces.map(({ trace, cases, troubled, aucs }) => [
      `${trace}, ${instantName(instant)}`,
      `${cases}`,
      `${troubled}`,
      ...aucs.map((auc) => shown(auc)),
    ]),
  )
  return table('AUC by link', ['Link', 'sessions', 'troubled', ...TRACE_COLUMNS], rows)
}

function costLine({ cost }: PredictorReport): string {
  const us = (value: number) => `${value.toFixed(2)} µs`
  return `Cost: acknowledged ${us(cost.acknowledgedUs)}, tick ${us(cost.tickUs)}, assess ${us(cost.assessUs)}; ${Math.round(cost.bytesPerSession)} bytes per session.`
}
