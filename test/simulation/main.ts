import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Coverage } from './coverage.js'
import { EXPECTED } from './expected.js'
import { runSeed } from './run.js'
import type { SimulationOptions } from './simulation-options.js'
import { parseSimulationOptions } from './simulation-options.js'

/** Seeds that one worker does between two reports. */
const BATCH = 25

interface Share {
  readonly first: number
  readonly last: number
  readonly step: number
}

interface Report {
  readonly runs: number
  readonly simulatedMs: number
  readonly failed: readonly { readonly seed: number; readonly failures: readonly string[] }[]
  readonly coverage: readonly (readonly [string, number])[]
}

async function runShare({ first, last, step }: Share, tell: (report: Report) => void): Promise<void> {
  let seed = first
  process.on('unhandledRejection', (error) => {
    tell({ runs: 0, simulatedMs: 0, failed: [{ seed, failures: [`unhandled: ${String(error)}`] }], coverage: [] })
  })
  while (seed <= last) {
    const coverage = new Coverage()
    const failed: { seed: number; failures: readonly string[] }[] = []
    let runs = 0
    let simulatedMs = 0
    for (; seed <= last && runs < BATCH; seed += step, runs++) {
      const result = await runSeed(seed)
      coverage.add(result.coverage.entries())
      simulatedMs += result.simulatedMs
      if (result.failures.length > 0) failed.push({ seed, failures: result.failures })
    }
    tell({ runs, simulatedMs, failed, coverage: coverage.entries() })
  }
}

async function runAll({ first, seeds, workers }: SimulationOptions): Promise<boolean> {
  const startedMs = performance.now()
  const coverage = new Coverage()
  let runs = 0
  let simulatedMs = 0
  let failed = 0
  const take = (report: Report) => {
    runs += report.runs
    simulatedMs += report.simulatedMs
    failed += report.failed.length
    coverage.add(report.coverage)
    for (const { seed, failures } of report.failed)
      console.log(`seed ${seed} failed: ${failures.join('; ')}\n  repeat it: npm run sim -- --seed ${seed}`)
  }
  if (workers === 0) await runShare({ first, last: first + seeds - 1, step: 1 }, take)
  await Promise.all(
    Array.from({ length: workers }, (_, i) =>
      inWorker({ first: first + i, last: first + seeds - 1, step: workers }, take),
    ),
  )
  const seconds = (performance.now() - startedMs) / 1000
  printCoverage(coverage)
  const rest = seeds >= FULL_RUN ? EXPECTED.filter((name) => coverage.of(name) === 0) : []
  if (rest.length > 0) console.log(`\nnever seen: ${rest.join(', ')}`)
  console.log(
    `\n${runs} uploads, ${failed} failed, ${seconds.toFixed(0)} s, ${(runs / seconds).toFixed(1)} uploads/s, ` +
      `${(simulatedMs / 3_600_000).toFixed(0)} simulated hours`,
  )
  return failed === 0 && rest.length === 0
}

/** Of so many seeds everything is expected to happen. */
const FULL_RUN = 2_000

function inWorker(share: Share, take: (report: Report) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: share })
    worker.on('message', take)
    worker.once('error', reject)
    worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
  })
}

function printCoverage(coverage: Coverage): void {
  const entries = coverage.entries()
  const width = Math.max(0, ...entries.map(([name]) => name.length))
  for (const [name, count] of entries) console.log(`${name.padEnd(width)} ${String(count).padStart(9)}`)
}

if (isMainThread) {
  const options = parseSimulationOptions(process.argv.slice(2))
  if (options?.seed !== undefined) {
    const { failures, fingerprint } = await runSeed(options.seed, (line) => console.log(line))
    console.log(failures.length === 0 ? `all held (${fingerprint})` : `failed: ${failures.join('; ')}`)
    process.exitCode = failures.length === 0 ? 0 : 1
  } else if (options) process.exitCode = (await runAll(options)) ? 0 : 1
} else await runShare(workerData as Share, (report) => parentPort?.postMessage(report))
