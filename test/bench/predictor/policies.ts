import { answers, type Fault, faultAt } from './faults.js'
import type { Check, ObservedRun, ObservedSession, Scores } from './observed-run.js'
import type { SimulatedSession } from './simulated-session.js'
import type { World } from './world.js'

/** A rule that copies what is left of a session once its score reaches a threshold. */
export interface Policy {
  readonly name: string
  readonly isTimer: boolean
  readonly scoreOf: (scores: Scores) => number
}

export const POLICIES: readonly Policy[] = [
  { name: 'RiskModel, server and straggle', isTimer: false, scoreOf: ({ server }) => server },
  { name: 'RiskModel, server', isTimer: false, scoreOf: ({ dead }) => dead },
  { name: 'RiskModel, risk', isTimer: false, scoreOf: ({ risk }) => risk },
  { name: 'phi alone', isTimer: false, scoreOf: ({ phi }) => phi },
  { name: 'no-progress timer', isTimer: true, scoreOf: ({ gapMs }) => gapMs },
  { name: 'total time timer', isTimer: true, scoreOf: ({ elapsedMs }) => elapsedMs },
  { name: 'p90 timeout', isTimer: true, scoreOf: ({ p90 }) => p90 },
  { name: "Storj's rule", isTimer: true, scoreOf: ({ storj }) => storj },
]

export interface Decided {
  readonly policy: Policy
  readonly threshold: number
  /** Bytes sent twice over all bytes of sessions. */
  readonly extraShare: number
  /** Beyond what each session that a store's fault touched would have taken without it. */
  readonly lostMs: number
  /** Share of server-caused trouble, and of link-caused, that was copied before it ended. */
  readonly recallServer: number
  readonly recallLink: number
  /** Share of the copied sessions that were troubled. */
  readonly precision: number
  readonly copies: number
  /** When it acted, per session. */
  readonly actedMs: ReadonlyMap<SimulatedSession, number>
}

/** Stores that an upload knows, in use or not. */
const MIRRORS = 3
/** TCP, TLS and the request of a copy, at a usual round trip. */
const COPY_SETUP_MS = 200
const HALVINGS = 24

interface Outcome {
  readonly extraBytes: number
  readonly lostMs: number
}

/** The lowest threshold that sends at most `share` of the bytes twice. */
export function tune(policy: Policy, runs: readonly ObservedRun[], share: number): Decided {
  const scores = runs
    .flatMap(({ sessions }) => sessions.map(({ checks }) => mostOf(policy, checks)))
    .sort((a, b) => a - b)
  let [low, high] = [0, Math.max(0, scores.at(-1) ?? 0) * (1 + 1e-9) + Number.MIN_VALUE]
  if (decide(policy, runs, low).extraShare <= share) return decide(policy, runs, low)
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2
    if (decide(policy, runs, middle).extraShare > share) low = middle
    else high = middle
  }
  return decide(policy, runs, high)
}

const mostOf = (policy: Policy, checks: readonly Check[]) =>
  checks.reduce((most, { scores }) => Math.max(most, policy.scoreOf(scores)), 0)

export function decide(policy: Policy, runs: readonly ObservedRun[], threshold: number): Decided {
  const sum = { bytes: 0, extraBytes: 0, lostMs: 0, server: 0, link: 0, caughtServer: 0, caughtLink: 0 }
  const actedMs = new Map<SimulatedSession, number>()
  for (const { world, sessions } of runs) {
    for (const { session, checks } of sessions) {
      const check = checks.find(({ scores }) => policy.scoreOf(scores) >= threshold && policy.scoreOf(scores) > 0)
      const { extraBytes, lostMs } = outcomeOf({ world, session, checks, check })
      sum.bytes += session.bytes
      sum.extraBytes += extraBytes
      sum.lostMs += lostMs
      if (check) actedMs.set(session, check.atMs)
      if (!session.failed) continue
      const isServer = session.faultAtMs !== undefined
      sum[isServer ? 'server' : 'link'] += 1
      if (check) sum[isServer ? 'caughtServer' : 'caughtLink'] += 1
    }
  }
  return {
    policy,
    threshold,
    extraShare: sum.extraBytes / sum.bytes,
    lostMs: sum.lostMs,
    recallServer: sum.caughtServer / sum.server,
    recallLink: sum.caughtLink / sum.link,
    precision: (sum.caughtServer + sum.caughtLink) / actedMs.size,
    copies: actedMs.size,
    actedMs,
  }
}

/** Median time between a policy's copy and another's, over server-caused trouble in which the first acted; who never acts, acts at the end. */
export function medianLeadMs(ours: Decided, other: Decided, sessions: readonly ObservedSession[]): number | undefined {
  const leads = sessions.flatMap(({ session }) => {
    const oursMs = ours.actedMs.get(session)
    if (oursMs === undefined || !session.failed || session.faultAtMs === undefined) return []
    return [(other.actedMs.get(session) ?? session.endedMs ?? oursMs) - oursMs]
  })
  return leads.sort((a, b) => a - b)[Math.floor(leads.length / 2)]
}

interface Decision {
  readonly world: World
  readonly session: SimulatedSession
  readonly checks: readonly Check[]
  /** When the policy acted. */
  readonly check: Check | undefined
}

function outcomeOf({ world, session, checks, check }: Decision): Outcome {
  const endedMs = session.endedMs ?? Number.POSITIVE_INFINITY
  const aloneMs =
    session.end === 'completed' ? endedMs : healthyEndMs(world, endedMs, session.bytes - session.ackedBytes)
  const copyMs =
    check && canCopy(world.faults, session, check.atMs)
      ? healthyEndMs(world, check.atMs, session.bytes - check.sentBytes)
      : undefined
  const extraBytes = check && copyMs !== undefined ? extraBytesOf({ world, session, checks, check, copyMs }) : 0
  if (session.faultAtMs === undefined) return { extraBytes, lostMs: 0 }
  const faultlessMs = healthyEndMs(world, session.startedMs, session.bytes)
  return { extraBytes, lostMs: Math.max(0, Math.min(aloneMs, copyMs ?? aloneMs) - faultlessMs) }
}

/** What the loser sent since the copy began. */
function extraBytesOf(o: {
  world: World
  session: SimulatedSession
  checks: readonly Check[]
  check: Check
  copyMs: number
}): number {
  const endedMs = o.session.endedMs ?? o.copyMs
  if (o.session.end === 'completed' && endedMs <= o.copyMs) {
    const share =
      o.world.lastMile.healthyBytesAt(endedMs) - o.world.lastMile.healthyBytesAt(o.check.atMs + COPY_SETUP_MS)
    return Math.min(o.session.bytes - o.check.sentBytes, Math.max(0, share))
  }
  const last = o.checks.findLast(({ atMs }) => atMs <= o.copyMs) ?? o.check
  return Math.max(0, last.sentBytes - o.check.sentBytes)
}

function canCopy(faults: readonly Fault[], session: SimulatedSession, nowMs: number): boolean {
  for (let step = 1; step < MIRRORS; step++) {
    const fault = faultAt(faults, (session.store + step) % MIRRORS, nowMs)
    if (answers(fault) && fault?.kind !== 'slow') return true
  }
  return false
}

/** When `bytes` begun now would be through at a healthy store. */
function healthyEndMs(world: World, nowMs: number, bytes: number): number {
  const fromMs = nowMs + COPY_SETUP_MS
  return Math.max(fromMs, world.lastMile.healthyMsAt(world.lastMile.healthyBytesAt(fromMs) + bytes))
}
