import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Coverage } from './coverage.js'
import { neverSeen } from './expected.js'
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

/** All that the workers have told. */
class Summary {
  readonly #startedMs = performance.now()
  readonly #coverage = new Coverage()
  #runs = 0
  #simulatedMs = 0
  #failed = 0

  take(report: Report): void {
    this.#runs += report.runs
    this.#simulatedMs += report.simulatedMs
    this.#failed += report.failed.length
    this.#coverage.add(report.coverage)
    for (const { seed, failures } of report.failed)
      console.log(`seed ${seed} failed: ${failures.join('; ')}\n  repeat it: npm run sim -- --seed ${seed}`)
  }

  /** Prints it. Returns whether all held, and everything has happened. */
  conclude(): boolean {
    const seconds = (performance.now() - this.#startedMs) / 1000
    const rest = neverSeen(this.#coverage, this.#runs)
    printCoverage(this.#coverage)
    if (rest.length > 0) console.log(`\nnever seen: ${rest.join(', ')}`)
    console.log(
      `\n${this.#runs} uploads, ${this.#failed} failed, ${seconds.toFixed(0)} s, ` +
        `${(this.#runs / seconds).toFixed(1)} uploads/s, ${(this.#simulatedMs / 3_600_000).toFixed(0)} simulated hours`,
    )
    return this.#failed === 0 && rest.length === 0
  }
}

/** Who is interrupted says what has come so far. */
async function runAll({ first, seeds, workers }: SimulationOptions): Promise<boolean> {
  const summary = new Summary()
  const last = first + seeds - 1
  process.once('SIGINT', () => {
    summary.conclude()
    process.exit(130)
  })
  if (workers === 0) await runShare({ first, last, step: 1 }, (report) => summary.take(report))
  const shares = Array.from({ length: workers }, (_, i) => ({ first: first + i, last, step: workers }))
  await Promise.all(shares.map((share) => inWorker(share, (report) => summary.take(report))))
  return summary.conclude()
}

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
    const { failures, fingerprint } = await runSeed(options.seed, {
      onLine: (line) => console.log(line),
      hasFingerprint: true,
    })
    console.log(failures.length === 0 ? `all held (${fingerprint})` : `failed: ${failures.join('; ')}`)
    process.exitCode = failures.length === 0 ? 0 : 1
  } else if (options) process.exitCode = (await runAll(options)) ? 0 : 1
} else await runShare(workerData as Share, (report) => parentPort?.postMessage(report))
