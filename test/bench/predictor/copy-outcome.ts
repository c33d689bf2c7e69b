import { answers, type Fault, faultAt } from './faults.js'
import type { Check } from './observed-run.js'
import type { SimulatedSession } from './simulated-session.js'
import type { World } from './world.js'

/** What became of one session under a policy. */
export interface CopyOutcome {
  /** Bytes sent twice. */
  readonly extraBytes: number
  /** Beyond what the session would have taken without the fault that touched it; 0 where none did. */
  readonly lostMs: number
  /** What the bytes sent twice cost the others in flight, and itself where it moved. */
  readonly delayMs: number
}

/** Stores that an upload knows, in use or not. */
const MIRRORS = 3
/** TCP, TLS and the request of a copy, at a usual round trip. */
const COPY_SETUP_MS = 200

interface Decision {
  readonly world: World
  readonly session: SimulatedSession
  readonly checks: readonly Check[]
  /** When the policy acted. */
  readonly check: Check | undefined
}

/** The copy goes to a healthy mirror, and whoever is done first wins. */
export function copyOutcome({ world, session, checks, check }: Decision): CopyOutcome {
  const endedMs = session.endedMs ?? Number.POSITIVE_INFINITY
  const aloneMs =
    session.end === 'completed' ? endedMs : healthyEndMs(world, endedMs, session.bytes - session.ackedBytes)
  const copyMs =
    check && canCopy(world.faults, session, check.atMs)
      ? healthyEndMs(world, check.atMs, session.bytes - check.sentBytes)
      : undefined
  const doneMs = Math.min(aloneMs, copyMs ?? aloneMs)
  const extraBytes = check && copyMs !== undefined ? extraBytesOf({ world, session, checks, check, copyMs }) : 0
  const delayMs = check ? delayOf({ world, session, extraBytes, fromMs: check.atMs, untilMs: doneMs }) : 0
  if (session.faultAtMs === undefined) return { extraBytes, delayMs, lostMs: 0 }
  const faultlessMs = healthyEndMs(world, session.startedMs, session.bytes)
  return { extraBytes, delayMs, lostMs: Math.max(0, doneMs - faultlessMs) }
}

/** What the loser sent since the copy began. */
function extraBytesOf(o: Decision & { readonly check: Check; readonly copyMs: number }): number {
  const { lastMile } = o.world
  const endedMs = o.session.endedMs ?? o.copyMs
  if (o.session.end === 'completed' && endedMs <= o.copyMs) {
    const share = lastMile.healthyBytesAt(endedMs) - lastMile.healthyBytesAt(o.check.atMs + COPY_SETUP_MS)
    return Math.min(o.session.bytes - o.check.sentBytes, Math.max(0, share))
  }
  const last = o.checks.findLast(({ atMs }) => atMs <= o.copyMs) ?? o.check
  return Math.max(0, last.sentBytes - o.check.sentBytes)
}

/** The time that the link took for these bytes, for each whom it kept waiting. */
function delayOf(o: {
  readonly world: World
  readonly session: SimulatedSession
  readonly extraBytes: number
  readonly fromMs: number
  readonly untilMs: number
}): number {
  if (o.extraBytes === 0) return 0
  const rate = o.world.lastMile.rateWhileUp(o.fromMs, o.untilMs)
  const inFlight = ({ startedMs, endedMs }: SimulatedSession) =>
    startedMs <= o.fromMs && (endedMs ?? o.fromMs) >= o.fromMs
  const others = o.world.sessions.filter((one) => one !== o.session && inFlight(one)).length
  const waiting = Math.max(1, others + (o.session.faultAtMs === undefined ? 1 : 0))
  return rate === 0 ? 0 : (waiting * o.extraBytes) / rate
}

function canCopy(faults: readonly Fault[], session: SimulatedSession, nowMs: number): boolean {
  for (let step = 1; step < MIRRORS; step++) {
    const fault = faultAt(faults, (session.store + step) % MIRRORS, nowMs)
    if (answers(fault) && fault?.kind !== 'slow') return true
  }
  return false
}

/** When `bytes` begun now would be through at a healthy store. */
function healthyEndMs({ lastMile }: World, nowMs: number, bytes: number): number {
  const fromMs = nowMs + COPY_SETUP_MS
  return Math.max(fromMs, lastMile.healthyMsAt(lastMile.healthyBytesAt(fromMs) + bytes))
}
