// What one step of a partition plan costs: npm run bench:plan -- --help

import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { PartitionPlan } from 'uppy-adaptive/partitioning/partition-plan'
import { decidePartitionSize } from 'uppy-adaptive/partitioning/partition-sizer'
import { DEFAULT_LIMITS } from 'uppy-adaptive/partitioning/size-limits'
import { countFrom, parseFlags } from './bench-flags.js'
import { describeMachine, machineText } from './machine.js'
import { putBetween } from './report.js'

const USAGE = `npm run bench:plan -- [--partitions N] [--steps N] [--seed N] [--markdown]
  --partitions N  of one block each, 100 to 1,000,000 (default 100,000); a hundredth and a tenth of it beside
  --steps N       uploads of one partition that are measured, 100 to 1,000,000 (default 10,000)
  --seed N        of what lies where, 0 to 4294967295 (default 1)
  --markdown      puts the table into docs/engine-benchmarks.md`

const FLAGS = {
  partitions: { type: 'string' },
  steps: { type: 'string' },
  seed: { type: 'string' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

const MARKS = { begin: '<!-- plan: npm run bench:plan -- --markdown -->', end: '<!-- end of plan -->' }
const IN_FLIGHT = 12
const STORE = 'store'

type Times = Map<string, number[]>

/** Times of each kind of step, microseconds, in a file of which every other partition is there, in no order. */
function measure(partitions: number, { steps, seed }: { steps: number; seed: number }): Times {
  const random = seededRandom(seed)
  const plan = scattered(partitions, random)
  const times: Times = new Map()
  const timed = <T>(name: string, act: () => T): T => {
    const began = process.hrtime.bigint()
    const result = act()
    const known = times.get(name) ?? []
    times.set(name, known)
    known.push(Number(process.hrtime.bigint() - began) / 1_000)
    return result
  }
  const inFlight: string[] = []
  for (let step = 0; step < steps; step++) {
    const session = `s${step}`
    const from = Math.floor(random() * partitions) * BLOCK_SIZE
    const gap = timed('next work', () => plan.unassignedWithin({ start: from, end: plan.sizeBytes }).next().value)
    if (!gap) continue
    timed('size', () => sizeOf(plan))
    timed('assign', () => {
      const range = { start: gap.start, end: Math.min(gap.end, gap.start + 4 * BLOCK_SIZE) }
      plan.add({ session, partition: plan.nextPartitionId(), store: STORE, kind: 'first', ...range })
    })
    timed('acknowledge', () => plan.acknowledge(session, gap.start + BLOCK_SIZE / 2))
    timed('missing', () => plan.missingOf(plan.session(session) ?? never()))
    timed('progress', () => plan.acknowledgedBytes)
    inFlight.push(session)
    if (inFlight.length <= IN_FLIGHT) continue
    finish(plan, inFlight.shift() ?? never(), timed)
  }
  return times
}

function finish(plan: PartitionPlan, session: string, timed: <T>(name: string, act: () => T) => T): void {
  const planned = plan.session(session) ?? never()
  const end = timed('split', () => plan.lowerEnd(session, planned.start + BLOCK_SIZE)) ?? never()
  plan.acknowledge(session, end)
  timed('verify', () => plan.verify([{ start: planned.start, end }]))
  timed('complete', () => plan.end(session))
  timed('lose', () => plan.discard([{ start: planned.start, end }]))
  timed('hold', () => plan.hold(STORE, [{ start: planned.start, end }]))
}

function scattered(partitions: number, random: () => number): PartitionPlan {
  const plan = new PartitionPlan(partitions * BLOCK_SIZE)
  const order = Array.from({ length: Math.floor(partitions / 2) }, (_, i) => ({ at: 2 * i * BLOCK_SIZE, by: random() }))
  for (const { at, by } of order.sort((a, b) => a.by - b.by)) {
    const range = { start: at, end: at + BLOCK_SIZE }
    if (by < 0.5) plan.verify([range])
    else plan.hold(STORE, [range])
  }
  return plan
}

function sizeOf(plan: PartitionPlan): number {
  const { sizeBytes } = decidePartitionSize({
    ...{
      goodputBytesPerSecond: 4e6,
      requestRttMs: 40,
      minRequestRttMs: 40,
      meanTimeBetweenFailuresMs: 60_000,
      lostShare: 1,
      stretch: 1,
    },
    ...{
      previousBytes: 4 * BLOCK_SIZE,
      unassignedBytes: plan.unassignedBytes,
      concurrency: 3,
      rateShare: 1 / 3,
      aggregateBytesPerSecond: 12e6,
      isAlone: false,
    },
    ...{ priority: 'normal', initialBytes: 4 * BLOCK_SIZE, limits: DEFAULT_LIMITS },
  })
  return sizeBytes
}

function never(): never {
  throw new Error('the plan has forgotten a session')
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

function tableOf(columns: readonly { partitions: number; times: Times }[]): string {
  const names = [...(columns[0]?.times.keys() ?? [])]
  const head = columns.map(({ partitions }) => `${partitions.toLocaleString('en')}: p50, p95`)
  const rows = names.map((name) => {
    const cells = columns.map(({ times }) => {
      const sorted = [...(times.get(name) ?? [])].sort((a, b) => a - b)
      return `${at(sorted, 0.5).toFixed(1)}, ${at(sorted, 0.95).toFixed(1)}`
    })
    return `| ${[name, ...cells].join(' | ')} |`
  })
  return [`| µs | ${head.join(' | ')} |`, `| --- | ${head.map(() => '---').join(' | ')} |`, ...rows].join('\n')
}

async function main(): Promise<void> {
  const values = parseFlags(process.argv.slice(2), FLAGS, USAGE)
  if (values.help) return console.log(USAGE)
  const usage = USAGE
  const most = { flag: '--partitions', least: 100, most: 1_000_000, otherwise: 100_000, usage }
  const partitions = countFrom(values.partitions, most)
  const steps = countFrom(values.steps, { ...most, flag: '--steps', otherwise: 10_000 })
  const seed = countFrom(values.seed, { flag: '--seed', least: 0, most: 2 ** 32 - 1, otherwise: 1, usage })
  const machine = machineText(describeMachine())
  // the first run is for the compiler
  measure(1_000, { steps: 2_000, seed })
  const sizes = [partitions / 100, partitions / 10, partitions].map(Math.floor)
  const columns = sizes.map((size) => ({ partitions: size, times: measure(size, { steps, seed }) }))
  const text = `${new Date().toISOString().slice(0, 10)}: ${machine}; ${steps} steps, seed ${seed}\n\n${tableOf(columns)}`
  console.log(text)
  if (values.markdown) await putBetween('docs/engine-benchmarks.md', MARKS, text)
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
