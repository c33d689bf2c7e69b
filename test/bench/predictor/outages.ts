import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { LinkTrace } from './link-trace.js'
import { type Check, observeRun } from './observed-run.js'
import { ENGINE_THRESHOLDS } from './policies.js'

const OUTAGES_S: readonly number[] = [2, 3, 5, 10, 20, 30]
export const BEGIN_MS = 20_000
/** Sessions count that are in flight until so long after the outage. */
const AFTER_MS = 20_000
const BIN_MS = 100
/** The engine's threshold of a dead server. */
export const CROSSED = 0.5

export interface OutageRow {
  readonly trace: string
  readonly stores: number
  /** Connections wait for TCP's next try after the outage; else all go on at once. */
  readonly backsOff: boolean
  readonly outageS: number
  readonly sessions: number
  /** Sessions whose server part reached 0.5 although no server had a fault. */
  readonly crossed: number
  /** Sessions that the engine would send again while the link is out, by its threshold. */
  readonly copied: Readonly<Record<string, number>>
}

/** Pure last-mile outages over each link, with 1, 2 and 3 stores in use: whom does the model blame? */
export function measureOutages(traces: readonly LinkTrace[], o: { seed: string; offsets: number }): OutageRow[] {
  return traces.flatMap((trace) =>
    [1, 2, 3].flatMap((stores) =>
      [false, true].flatMap((backsOff) =>
        OUTAGES_S.map((outageS) => measure(trace, { ...o, stores, backsOff, outageS })),
      ),
    ),
  )
}

interface Outage extends Pick<OutageRow, 'stores' | 'backsOff' | 'outageS'> {
  readonly seed: string
  readonly offsets: number
}

function measure(trace: LinkTrace, o: Outage): OutageRow {
  const { stores, backsOff, outageS } = o
  const endMs = BEGIN_MS + outageS * 1_000
  let [sessions, crossed] = [0, 0]
  const copied: Record<string, number> = Object.fromEntries(ENGINE_THRESHOLDS.map((threshold) => [threshold, 0]))
  for (let run = 0; run < o.offsets; run++) {
    const random = seededRandom(`${o.seed}/outage/${trace.name}/${o.stores}/${o.outageS}/${run}`)
    const offsetMs = random() * trace.lengthMs
    const beginMs = BEGIN_MS + 1_000 * random()
    const cut = cutAt(trace, { offsetMs, beginMs, endMs })
    const durationMs = endMs + AFTER_MS
    const found = observeRun({ trace: cut, run, offsetMs: 0, stores, backsOff, faults: [], durationMs, random })
    const touched = found.sessions.filter(({ session }) => (session.endedMs ?? endMs) > BEGIN_MS)
    sessions += touched.length
    crossed += touched.filter(({ checks }) =>
      checks.some(({ atMs, scores }) => atMs > BEGIN_MS && scores.dead >= CROSSED),
    ).length
    const upTo = touched.map(({ checks }) => mostWhile(checks, (atMs) => atMs > beginMs && atMs < endMs))
    for (const threshold of ENGINE_THRESHOLDS)
      copied[threshold] = (copied[threshold] ?? 0) + upTo.filter((most) => most >= threshold).length
  }
  return { trace: trace.name, stores, backsOff, outageS, sessions, crossed, copied }
}

function mostWhile(checks: readonly Check[], isThen: (atMs: number) => boolean): number {
  return Math.max(0, ...checks.filter(({ atMs }) => isThen(atMs)).map(({ scores }) => scores.engine))
}

/** Two minutes of a link from an offset on, with nothing in between. */
export function cutAt(trace: LinkTrace, o: { offsetMs: number; beginMs: number; endMs: number }): LinkTrace {
  const bins = Array.from({ length: 120_000 / BIN_MS }, (_, at) => at * BIN_MS)
  const segments = bins.map((atMs) => ({
    durationMs: BIN_MS,
    mbps: atMs >= o.beginMs && atMs < o.endMs ? 0 : trace.bytesPerMsAt(o.offsetMs + atMs) / 125,
  }))
  return new LinkTrace(trace.name, segments)
}
