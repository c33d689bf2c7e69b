import type { Fleet } from './fleet.js'
import type { RiskModelOptions } from './options.js'
import type { SessionRecord } from './session-record.js'

/** Guess: a silence of so many usual starts is worth a question to those who could testify. */
const LATE_STARTS = 1.5
/** METHODS, finding 1: with fewer than two other servers heard from, link and server cannot be told apart. */
const WITNESSES_NEEDED = 2

type ProbeOptions = Pick<RiskModelOptions, 'probePhi' | 'probeRateRatio'>

/** Keys of the stores to ask: those in suspicion with too few witnesses, and whoever could testify. Asking is remembered. */
export function chooseProbes(fleet: Fleet, nowMs: number, options: ProbeOptions): string[] {
  const suspicious = [...fleet.sessions.values()].filter((session) =>
    isSuspect(session, { nowMs, inFlight: fleet.sessions.size, options }),
  )
  const suspects = new Set(suspicious.map(({ storeKey }) => storeKey))
  const stores = [...fleet.stores]
  const fresh = stores.filter(([, record]) => record.isFresh(nowMs)).map(([key]) => key)
  const unclear = [...suspects].filter((key) => fresh.filter((other) => other !== key).length < WITNESSES_NEEDED)
  // what an outage excuses, whoever else moves, only the store itself can tell from a death in the dark: asked as others are
  const isExcused = suspicious.some(({ witness, storeKey }) => witness.isExcused(nowMs) && !fresh.includes(storeKey))
  if (unclear.length === 0 && !isExcused) return []
  return stores
    .filter(([key]) => isExcused || unclear.includes(key) || !fresh.includes(key))
    .filter(([, record]) => record.mayBeAsked(nowMs))
    .map(([key]) => key)
}

function isSuspect(
  session: SessionRecord,
  { nowMs, inFlight, options }: { nowMs: number; inFlight: number; options: ProbeOptions },
): boolean {
  const gapMs = session.gapMs(nowMs)
  const slowness = session.slowness(inFlight)
  const isSlow = slowness !== undefined && slowness.trust >= 1 && slowness.ratio < options.probeRateRatio
  // half a start's time over the plan for a block: early enough that the answer is there when it is needed
  const isLate = gapMs >= LATE_STARTS * session.store.usualStartMs
  return isSlow || isLate || session.phi(gapMs) >= options.probePhi
}
