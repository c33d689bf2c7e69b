import type { Machine } from '../machine.js'
import type { Cost } from './cost.js'
import type { InstantMeasures } from './measures.js'
import type { ObservedRun } from './observed-run.js'
import type { OutageStallRow } from './outage-stalls.js'
import type { OutageRow } from './outages.js'
import { type Decided, medianLeadMs, POLICIES, tune } from './policies.js'

/** Every policy may send so many of the bytes twice. */
const EXTRA_SHARE = 0.03

export interface DecisionRow extends Omit<Decided, 'policy' | 'actedMs'> {
  readonly policy: string
  readonly isTimer: boolean
  /** Time lost over that of the best timer. */
  readonly overBestTimer: number
  /** Median lead on each timer, by its name. */
  readonly leadsMs: Readonly<Record<string, number | undefined>>
}

export interface PredictorReport {
  readonly date: string
  readonly machine: Machine
  readonly seed: string
  readonly runsPerTrace: number
  readonly traces: readonly string[]
  readonly sessions: number
  readonly seconds: number
  readonly instants: readonly InstantMeasures[]
  readonly decisions: readonly DecisionRow[]
  readonly bestTimer: string
  readonly outages: readonly OutageRow[]
  readonly outageStalls: readonly OutageStallRow[]
  readonly cost: Cost
}

export function decideAll(runs: readonly ObservedRun[]): Pick<PredictorReport, 'decisions' | 'bestTimer'> {
  const sessions = runs.flatMap((run) => run.sessions)
  const decided = POLICIES.map((policy) => tune(policy, runs, EXTRA_SHARE))
  const timers = decided.filter(({ policy }) => policy.isTimer)
  const best = timers.reduce((a, b) => (b.lostMs < a.lostMs ? b : a))
  const decisions = decided.map((one) => {
    const { policy, actedMs, ...figures } = one
    const leadsMs = Object.fromEntries(timers.map((timer) => [timer.policy.name, medianLeadMs(one, timer, sessions)]))
    return {
      ...figures,
      policy: policy.name,
      isTimer: policy.isTimer,
      overBestTimer: one.lostMs / best.lostMs,
      leadsMs,
    }
  })
  return { decisions, bestTimer: best.policy.name }
}

export function headLine({ machine, seed, runsPerTrace, traces, sessions, seconds }: PredictorReport): string {
  const { cpu, cores, memoryGiB, system, node, loadBefore } = machine
  const how = `seed ${seed}, ${runsPerTrace} offsets of each of ${traces.length} links, ${sessions} sessions, ${Math.round(seconds)} s`
  return `${how}; ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, load ${loadBefore} before.`
}
