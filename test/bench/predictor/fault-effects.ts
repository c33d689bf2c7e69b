import type { Fault } from './faults.js'
import type { SimulatedSession } from './simulated-session.js'

/** A connect that nobody answers. */
const CONNECT_TIMEOUT_MS = 10_000

/** A fault begins while the session is in flight. */
export function strike(session: SimulatedSession, fault: Fault, random: () => number): void {
  if (fault.kind === 'errors') {
    if (random() < 0.5) return
    session.failsAtMs = fault.fromMs + random() * (fault.untilMs - fault.fromMs)
  }
  if (fault.kind === 'killed') session.failsAtMs = fault.fromMs
  if (fault.kind === 'connectionStall') session.isStuck = true
  if (fault.kind === 'unreachable') {
    session.isStuck = true
    session.failsAtMs = fault.untilMs
  }
  session.faultAtMs = fault.fromMs
}

/** A session begins while its store is under a fault. */
export function beginUnder(session: SimulatedSession, fault: Fault, random: () => number): void {
  if (fault.kind === 'connectionStall' || (fault.kind === 'errors' && random() < 0.3)) return
  if (fault.kind === 'errors' || fault.kind === 'killed') session.failsAtMs = session.startedMs + session.setupLeftMs
  if (fault.kind === 'unreachable') session.failsAtMs = session.startedMs + CONNECT_TIMEOUT_MS
  session.faultAtMs = session.startedMs
}
