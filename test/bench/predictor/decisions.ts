import { type CopyOutcome, copyOutcome } from './copy-outcome.js'
import type { Check, ObservedRun, ObservedSession } from './observed-run.js'
import type { Policy } from './policies.js'
import type { SimulatedSession } from './simulated-session.js'

export interface Decided {
  readonly policy: Policy
  /** Its own, or tuned on all other links; the median over links. */
  readonly threshold: number
  /** Bytes sent twice over all bytes of sessions, mean over links: a fast link counts no more than a slow one. */
  readonly extraShare: number
  /** Of all sessions that a fault touched, beyond what they would have taken without it. */
  readonly lostMs: number
  /** What copies cost others on the link. */
  readonly delayMs: number
  /** Share of server-caused trouble, and of link-caused, that was copied before it ended. */
  readonly recallServer: number
  readonly recallLink: number
  /** Share of the copied sessions that were troubled. */
  readonly precision: number
  readonly copies: number
  readonly lostByTraceMs: ReadonlyMap<string, number>
  /** By how many stores were in use. */
  readonly lostByStoresMs: ReadonlyMap<number, number>
  /** When it acted, per session. */
  readonly actedMs: ReadonlyMap<SimulatedSession, number>
}

/** A check at which the score was higher than ever before in its session: the policy acts at one of these or never. */
interface Chance {
  readonly score: number
  readonly check: Check
  outcome?: CopyOutcome
}

/** One session under a policy whose threshold is still open. */
class OpenDecision {
  readonly #run: ObservedRun
  readonly #observed: ObservedSession
  readonly #chances: readonly Chance[]
  readonly #never: CopyOutcome

  constructor(policy: Policy, run: ObservedRun, observed: ObservedSession) {
    this.#run = run
    this.#observed = observed
    const chances: Chance[] = []
    let most = 0
    for (const check of observed.checks) {
      const score = policy.scoreOf(check.scores)
      if (score > most) chances.push({ score, check })
      most = Math.max(most, score)
    }
    this.#chances = chances
    this.#never = this.#outcome(undefined)
  }

  get stores(): number {
    return this.#run.stores
  }

  get session(): SimulatedSession {
    return this.#observed.session
  }

  get scores(): readonly number[] {
    return this.#chances.map(({ score }) => score)
  }

  at(threshold: number): { outcome: CopyOutcome; atMs: number | undefined } {
    const chance = this.#chances.find(({ score }) => score >= threshold)
    if (!chance) return { outcome: this.#never, atMs: undefined }
    chance.outcome ??= this.#outcome(chance.check)
    return { outcome: chance.outcome, atMs: chance.check.atMs }
  }

  #outcome(check: Check | undefined): CopyOutcome {
    const { session, checks } = this.#observed
    return copyOutcome({ world: this.#run.world, session, checks, check })
  }
}

/** Each link's threshold is the policy's own, or the lowest that sends at most `share` of the bytes twice, in the mean of all other links. */
export function decideLeavingOneOut(policy: Policy, runs: readonly ObservedRun[], share: number): Decided {
  const byTrace = new Map<string, OpenDecision[]>()
  for (const run of runs) {
    const open = run.sessions.map((observed) => new OpenDecision(policy, run, observed))
    byTrace.set(run.trace, [...(byTrace.get(run.trace) ?? []), ...open])
  }
  const thresholds = new Map<string, number>()
  for (const trace of byTrace.keys()) {
    const others = [...byTrace].filter(([name]) => name !== trace).map(([, decisions]) => decisions)
    thresholds.set(trace, policy.threshold ?? lowestWithin(others, share))
  }
  return sumUp(policy, byTrace, thresholds)
}

function lowestWithin(links: readonly (readonly OpenDecision[])[], share: number): number {
  const scores = [...new Set(links.flat().flatMap((one) => one.scores))].sort((a, b) => a - b)
  const extraShare = (threshold: number) => mean(links.map((decisions) => extraShareOf(decisions, threshold)))
  let [low, high] = [0, scores.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (extraShare(scores[middle] ?? Number.POSITIVE_INFINITY) > share) low = middle + 1
    else high = middle
  }
  return scores[low] ?? Number.POSITIVE_INFINITY
}

function extraShareOf(decisions: readonly OpenDecision[], threshold: number): number {
  const bytes = decisions.reduce((sum, { session }) => sum + session.bytes, 0)
  return decisions.reduce((sum, one) => sum + one.at(threshold).outcome.extraBytes, 0) / bytes
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

function sumUp(
  policy: Policy,
  byTrace: ReadonlyMap<string, readonly OpenDecision[]>,
  thresholds: ReadonlyMap<string, number>,
): Decided {
  const sum = { lostMs: 0, delayMs: 0, server: 0, link: 0, caughtServer: 0, caughtLink: 0 }
  const actedMs = new Map<SimulatedSession, number>()
  const lostByTraceMs = new Map<string, number>()
  const lostByStoresMs = new Map<number, number>()
  for (const [trace, decisions] of byTrace) {
    for (const decision of decisions) {
      const { session } = decision
      const { outcome, atMs } = decision.at(thresholds.get(trace) ?? Number.POSITIVE_INFINITY)
      sum.lostMs += outcome.lostMs
      sum.delayMs += outcome.delayMs
      lostByTraceMs.set(trace, (lostByTraceMs.get(trace) ?? 0) + outcome.lostMs)
      lostByStoresMs.set(decision.stores, (lostByStoresMs.get(decision.stores) ?? 0) + outcome.lostMs)
      if (atMs !== undefined) actedMs.set(session, atMs)
      if (!session.failed) continue
      const isServer = session.faultAtMs !== undefined
      sum[isServer ? 'server' : 'link'] += 1
      if (atMs !== undefined) sum[isServer ? 'caughtServer' : 'caughtLink'] += 1
    }
  }
  const ordered = [...thresholds.values()].sort((a, b) => a - b)
  return {
    ...{
      policy,
      lostByTraceMs,
      lostByStoresMs,
      actedMs,
      lostMs: sum.lostMs,
      delayMs: sum.delayMs,
      copies: actedMs.size,
    },
    threshold: ordered[ordered.length >> 1] ?? Number.POSITIVE_INFINITY,
    extraShare: mean([...byTrace].map(([trace, open]) => extraShareOf(open, thresholds.get(trace) ?? Number.NaN))),
    recallServer: sum.caughtServer / sum.server,
    recallLink: sum.caughtLink / sum.link,
    precision: (sum.caughtServer + sum.caughtLink) / actedMs.size,
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
