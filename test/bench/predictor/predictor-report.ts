import type { ReliabilityBin } from 'upload-predictor'
import type { Machine } from '../machine.js'
import type { Cost } from './cost.js'
import { type Decided, decideLeavingOneOut, medianLeadMs } from './decisions.js'
import type { InstantMeasures } from './measures.js'
import type { ObservedRun } from './observed-run.js'
import type { OutageStallRow } from './outage-stalls.js'
import type { OutageRow } from './outages.js'
import { POLICIES } from './policies.js'

/** Every policy may send so many of the bytes twice. */
const EXTRA_SHARE = 0.03

export interface DecisionRow extends Omit<Decided, 'policy' | 'actedMs' | 'lostByTraceMs' | 'lostByStoresMs'> {
  readonly policy: string
  readonly isTimer: boolean
  /** Time lost over that of the best timer, which is the one that loses least. */
  readonly overBestTimer: number
  /** The same with the delay to others. */
  readonly bothOverBestTimer: number
  /** Time lost over the best timer's, by link. */
  readonly overByTrace: Readonly<Record<string, number>>
  /** Time lost in milliseconds, by how many stores were in use. */
  readonly lostByStores: Readonly<Record<string, number>>
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
  readonly reliability: readonly ReliabilityBin[]
  readonly decisions: readonly DecisionRow[]
  readonly bestTimer: string
  readonly outages: readonly OutageRow[]
  readonly outageStalls: readonly OutageStallRow[]
  readonly cost: Cost
}

export function decideAll(runs: readonly ObservedRun[]): Pick<PredictorReport, 'decisions' | 'bestTimer'> {
  const sessions = runs.flatMap((run) => run.sessions)
  const decided = POLICIES.map((policy) => decideLeavingOneOut(policy, runs, EXTRA_SHARE))
  const timers = decided.filter(({ policy }) => policy.isTimer)
  const best = timers.reduce((a, b) => (b.lostMs < a.lostMs ? b : a))
  const decisions = decided.map((one) => {
    const { policy, actedMs, lostByTraceMs, lostByStoresMs, ...figures } = one
    const leadsMs = Object.fromEntries(timers.map((timer) => [timer.policy.name, medianLeadMs(one, timer, sessions)]))
    return {
      ...figures,
      policy: policy.name,
      isTimer: policy.isTimer,
      overBestTimer: one.lostMs / best.lostMs,
      bothOverBestTimer: (one.lostMs + one.delayMs) / (best.lostMs + best.delayMs),
      overByTrace: Object.fromEntries(
        [...lostByTraceMs].map(([trace, ms]) => [trace, ms / (best.lostByTraceMs.get(trace) ?? ms)]),
      ),
      lostByStores: Object.fromEntries(lostByStoresMs),
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
