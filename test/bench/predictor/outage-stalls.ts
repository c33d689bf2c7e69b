import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import type { Fault } from './faults.js'
import type { LinkTrace } from './link-trace.js'
import { observeRun, type Scores } from './observed-run.js'
import { BEGIN_MS, CROSSED, cutAt } from './outages.js'

const OUTAGES_S: readonly number[] = [2, 5, 10, 20]
/** A stall that nobody has seen by then counts as found so late. */
const GIVEN_UP_MS = 45_000
type StallKind = 'storeStall' | 'connectionStall'
const KINDS: readonly StallKind[] = ['storeStall', 'connectionStall']

/** Where in the outage (share of its length) or after it (ms) a true stall begins. */
const BEGINNINGS = [
  { name: 'in the middle', atMs: (lengthMs: number) => lengthMs / 2 },
  { name: '1 s after', atMs: (lengthMs: number) => lengthMs + 1_000 },
] as const

export interface OutageStallRow {
  readonly kind: StallKind
  readonly beginning: string
  readonly stores: number
  readonly outageS: number
  readonly stalls: number
  /** From the later of its begin and the outage's end until the server part reaches 0.5, or the session fails by itself. */
  readonly blamedMs: readonly number[]
  /** The same of the server or the connection part, whichever comes first: until a remedy may begin. */
  readonly noticedMs: readonly number[]
}

/** True stalls that begin in or just after an outage, when it explains silence as well: how much later they are found. */
export function measureOutageStalls(
  traces: readonly LinkTrace[],
  o: { seed: string; offsets: number },
): OutageStallRow[] {
  return KINDS.flatMap((kind) =>
    BEGINNINGS.flatMap((beginning) =>
      [2, 3].flatMap((stores) =>
        OUTAGES_S.map((outageS) => {
          const atMs = BEGIN_MS + beginning.atMs(outageS * 1_000)
          const runs = Array.from({ length: o.offsets }, (_, run) => run)
          const found = traces.flatMap((trace) =>
            runs.flatMap((run) => delaysOf(trace, { seed: o.seed, run, kind, stores, outageS, atMs }) ?? []),
          )
          return {
            ...{ kind, beginning: beginning.name, stores, outageS, stalls: found.length },
            blamedMs: found.map(({ blamedMs }) => blamedMs),
            noticedMs: found.map(({ noticedMs }) => noticedMs),
          }
        }),
      ),
    ),
  )
}

interface Stall {
  readonly seed: string
  readonly run: number
  readonly kind: StallKind
  readonly stores: number
  readonly outageS: number
  readonly atMs: number
}

/** Undefined where no session was there to be struck. */
function delaysOf(trace: LinkTrace, o: Stall): { blamedMs: number; noticedMs: number } | undefined {
  const endMs = BEGIN_MS + o.outageS * 1_000
  const random = seededRandom(`${o.seed}/stall/${trace.name}/${o.stores}/${o.outageS}/${o.run}`)
  const cut = cutAt(trace, { offsetMs: random() * trace.lengthMs, beginMs: BEGIN_MS + 1_000 * random(), endMs })
  const fault: Fault = { store: 0, kind: o.kind, fromMs: 50 * Math.ceil(o.atMs / 50), untilMs: o.atMs + GIVEN_UP_MS }
  const durationMs = Math.max(endMs, o.atMs) + GIVEN_UP_MS
  const { sessions } = observeRun({
    ...{ trace: cut, run: o.run, offsetMs: 0, stores: o.stores, faults: [fault], durationMs, random },
  })
  const struck = sessions.find(({ session }) => session.faultAtMs !== undefined)
  const fromMs = Math.max(fault.fromMs, endMs)
  if (!struck || (struck.session.endedMs ?? fromMs) <= fromMs) return undefined
  const delayMs = (isSeen: (scores: Scores) => boolean) => {
    const seen = struck.checks.find(({ atMs, scores }) => atMs >= fromMs && isSeen(scores))
    return Math.min(GIVEN_UP_MS, (seen?.atMs ?? struck.session.endedMs ?? fromMs + GIVEN_UP_MS) - fromMs)
  }
  return {
    blamedMs: delayMs(({ dead }) => dead >= CROSSED),
    noticedMs: delayMs(({ dead, connection }) => Math.max(dead, connection) >= CROSSED),
  }
}
