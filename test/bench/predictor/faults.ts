type Random = () => number

export type FaultKind = 'connectionStall' | 'storeStall' | 'slow' | 'errors' | 'killed' | 'unreachable'

export interface Fault {
  readonly store: number
  readonly kind: FaultKind
  readonly fromMs: number
  readonly untilMs: number
}

const KINDS: readonly { readonly kind: FaultKind; readonly leastMs: number; readonly mostMs: number }[] = [
  // the connections open at its begin never move again: new ones, and probes, are answered
  { kind: 'connectionStall', leastMs: 50, mostMs: 50 },
  // nothing of the store moves or answers, then goes on
  { kind: 'storeStall', leastMs: 8_000, mostMs: 40_000 },
  // a tenth of the planned rate
  { kind: 'slow', leastMs: 10_000, mostMs: 40_000 },
  // half of what is in flight and most of what begins ends in a 5xx
  { kind: 'errors', leastMs: 2_000, mostMs: 10_000 },
  // the process: connections are reset, new ones refused
  { kind: 'killed', leastMs: 10_000, mostMs: 30_000 },
  // the machine: silence for good
  { kind: 'unreachable', leastMs: 10_000, mostMs: 30_000 },
]
/** Guess: so that faults trouble about as many sessions as links do. */
const MEAN_GAP_MS = 60_000
/** Guess: of faults with several stores in use, so many take two at once. */
const TWO_AT_ONCE = 0.15

/** Faults one after the other, exponentially spaced, of any kind at any store. */
export function planFaults(o: { random: Random; stores: number; durationMs: number }): Fault[] {
  const faults: Fault[] = []
  let atMs = 10_000
  for (;;) {
    atMs += Math.round(-MEAN_GAP_MS * Math.log(1 - o.random()))
    const chosen = KINDS[Math.floor(o.random() * KINDS.length)]
    if (atMs >= o.durationMs || !chosen) return faults
    const untilMs = atMs + Math.round(chosen.leastMs + o.random() * (chosen.mostMs - chosen.leastMs))
    const store = Math.floor(o.random() * o.stores)
    const struck = o.stores > 1 && o.random() < TWO_AT_ONCE ? [store, (store + 1) % o.stores] : [store]
    for (const one of struck) faults.push({ store: one, kind: chosen.kind, fromMs: atMs, untilMs })
    atMs = untilMs
  }
}

/** The fault that a store is under. */
export function faultAt(faults: readonly Fault[], store: number, nowMs: number): Fault | undefined {
  return faults.find((fault) => fault.store === store && fault.fromMs <= nowMs && nowMs < fault.untilMs)
}

/** Whether the store answers a small request on a new connection. */
export function answers(fault: Fault | undefined): boolean {
  return fault === undefined || fault.kind === 'connectionStall' || fault.kind === 'slow' || fault.kind === 'errors'
}
