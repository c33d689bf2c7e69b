// How well the risk model predicts, against timers and plain regression: npm run bench:predictor -- --help
import { writeFile } from 'node:fs/promises'
import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { reliabilitySvg } from 'upload-predictor'
import { describeMachine } from '../machine.js'
import { putBetween } from '../report.js'
import { measureCost } from './cost.js'
import { planFaults } from './faults.js'
import { type LinkTrace, readTraces } from './link-trace.js'
import { measureInstants, measureReliability } from './measures.js'
import { type ObservedRun, observeRun } from './observed-run.js'
import { measureOutageStalls } from './outage-stalls.js'
import { measureOutages } from './outages.js'
import { type PredictorBenchOptions, parsePredictorOptions } from './predictor-options.js'
import { decideAll, headLine, type PredictorReport } from './predictor-report.js'
import { syntheticLinks } from './synthetic-links.js'
import { decisionTablesOf, tablesOf } from './tables.js'
import { trainingLink } from './training-links.js'

const DURATION_MS = 180_000
const PICTURE = 'docs/predictor-reliability.svg'
const MARKS = { begin: '<!-- tables: npm run bench:predictor -- --markdown -->', end: '<!-- end of tables -->' }

/** Uploads to 1, 2 and 3 stores in turn, each from an offset of its own. */
function observeAll(traces: readonly LinkTrace[], o: { seed: string; seeds: number }): ObservedRun[] {
  return traces.flatMap((trace) =>
    Array.from({ length: o.seeds }, (_, run) => {
      const random = seededRandom(`${o.seed}/${trace.name}/${run}`)
      const stores = 1 + (run % 3)
      const offsetMs = Math.floor(random() * trace.lengthMs)
      const faults = planFaults({ random, stores, durationMs: DURATION_MS })
      return observeRun({ trace, run, stores, hasSpare: true, offsetMs, faults, durationMs: DURATION_MS, random })
    }),
  )
}

async function linksFor({ made, seed, traces }: PredictorBenchOptions): Promise<LinkTrace[]> {
  if (made === 0) return [...syntheticLinks(seededRandom(`${seed}/links`)), ...(await readTraces(traces))]
  const names = Array.from({ length: made }, (_, at) => `made-${at}`)
  return names.map((name) => trainingLink(name, seededRandom(`${seed}/bench/${name}`)))
}

async function main(): Promise<void> {
  const options = parsePredictorOptions(process.argv.slice(2))
  if (!options) return
  const { seed, seeds } = options
  const machine = describeMachine()
  const began = performance.now()
  const cost = measureCost()
  const traces = await linksFor(options)
  const runs = observeAll(traces, { seed, seeds })
  if (options.decisions) {
    const outages = measureOutages(traces, { seed, offsets: Math.ceil(seeds / 8) })
    return console.log(decisionTablesOf({ traces: traces.map(({ name }) => name), ...decideAll(runs), outages }))
  }
  const measured = {
    instants: measureInstants(runs, { seed, runsPerTrace: seeds }),
    reliability: measureReliability(runs, seeds),
    ...decideAll(runs),
    outages: measureOutages(traces, { seed, offsets: Math.ceil(seeds / 8) }),
    outageStalls: measureOutageStalls(traces, { seed, offsets: Math.ceil(seeds / 20) }),
  }
  const report: PredictorReport = {
    date: new Date().toISOString().slice(0, 10),
    machine,
    seed,
    runsPerTrace: seeds,
    traces: traces.map(({ name }) => name),
    sessions: runs.reduce((sum, { sessions }) => sum + sessions.length, 0),
    seconds: (performance.now() - began) / 1_000,
    ...measured,
    cost,
  }
  const text = `${report.date}: ${headLine(report)}\n\n${tablesOf(report)}`
  console.log(text)
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
  if (options.markdown === undefined) return
  await putBetween(options.markdown, MARKS, text)
  await writeFile(PICTURE, reliabilitySvg(report.reliability))
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
