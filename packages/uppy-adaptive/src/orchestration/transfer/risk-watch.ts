import type { RiskAssessment } from 'upload-predictor'
import type { PlannedSession, StoreId } from '../../partitioning/partition-plan.js'
import { decideSlowSplit } from '../../partitioning/split-policy.js'
import type { Refusal, RefusalCode, Remedy, SessionRisk } from '../../redundancy/hedge-policy.js'
import { decideRemedy, IN_DOUBT_PHI } from '../../redundancy/hedge-policy.js'
import type { RankedStore } from '../../redundancy/mirror-choice.js'
import { knownOf } from '../log/known.js'
import { rounded } from '../log/rounded.js'
import type { Route, Store } from '../servers/server-directory.js'
import { drawForBytes, rankForBytes } from '../servers/store-ranking.js'
import type { SessionOutcomes } from '../sessions/session-outcomes.js'
import type { Reasons, SessionStarter } from '../sessions/session-starter.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'
import { GRACE_MS } from '../waiting/watch-times.js'
import { HedgeView } from './hedge-view.js'

/** A slow session keeps what it can send in this time; the rest moves (guess: two risk horizons). */
const SLOW_KEEPS_MS = 1_500
/** A new connection gets this long to bring its first bytes before the next remedy (guess: five usual starts). */
const RECONNECT_GRACE_MS = 1_500
/** The grace doubles with each connection in vain, up to this (guess). */
const LONGEST_RECONNECT_GRACE_MS = 24_000
/** An event stream that has broken off is opened again within so much time in which its server answers (guess). */
const STREAM_GRACE_MS = 2_000
/** So soon a session's next reason to be left as it is may follow in the log (guess). */
const WITHHELD_AGAIN_MS = 1_000

interface InDoubt {
  readonly session: PlannedSession
  readonly assessment: RiskAssessment
  readonly around: HedgeView
  readonly nowMs: number
}

/** Scores every session in flight and applies the remedy that the policy names. */
export class RiskWatch {
  readonly #context: TransferContext
  readonly #starter: SessionStarter
  readonly #outcomes: SessionOutcomes
  readonly #assessments = new Map<string, RiskAssessment>()
  /** Of sessions in trouble that were left as they are: why, as it was logged last. */
  readonly #withheld = new Map<string, { code: RefusalCode; atMs: number }>()

  constructor(context: TransferContext, parts: { starter: SessionStarter; outcomes: SessionOutcomes }) {
    this.#context = context
    this.#starter = parts.starter
    this.#outcomes = parts.outcomes
  }

  /** The last assessment of a session in flight. */
  assessmentOf(session: string): RiskAssessment | undefined {
    return this.#assessments.get(session)
  }

  /** Scores the sessions in flight; between ticks the model learns nothing from being asked. */
  score(nowMs: number, isTick: boolean): void {
    const { plan, model } = this.#context
    this.#assessments.clear()
    for (const session of plan.sessions()) {
      const remainingBytes = plan.missingOf(session)
      const asked = { nowMs, session: session.session, remainingBytes, isGlance: !isTick }
      this.#assessments.set(session.session, model.assess(asked))
    }
  }

  /** Applies to each session that was scored the remedy that the policy names. */
  treat(nowMs: number): void {
    const { plan } = this.#context
    for (const id of this.#withheld.keys()) if (!plan.session(id)) this.#withheld.delete(id)
    for (const session of plan.sessions()) {
      const assessment = this.#assessments.get(session.session)
      if (assessment) this.#treat(session, assessment, nowMs)
    }
  }

  #treat(session: PlannedSession, assessment: RiskAssessment, nowMs: number): void {
    const runner = this.#context.runners.get(session.session)
    // what waits here no other connection or server would have sooner
    if (runner?.ownDelay.isRunning) return
    if (runner && nowMs - runner.reconnectedAtMs < reconnectGraceMs(runner.freshTries)) return
    const around = new HedgeView(this.#context, session, this.#alternativesTo)
    const remedy = decideRemedy(this.#describe(session, assessment, nowMs), around)
    if (remedy.kind !== 'none') this.#apply(remedy, { session, assessment, around, nowMs })
    else if (remedy.withheld) this.#noteWithheld(remedy.withheld, { session, assessment, around, nowMs })
  }

  /** The stores, other than the session's, that have room for a session, by when they would have its missing bytes. */
  readonly #alternativesTo = (session: PlannedSession): RankedStore[] => {
    const { directory, plan, model } = this.#context
    const tried = new Set<StoreId>([session.store, ...plan.copiesOf(session.session).map((copy) => copy.store)])
    const free = directory
      .stores()
      .filter((store) => this.#starter.canTake(store) && !tried.has(store.id) && !this.isInDoubt(store.id))
    const bytes = plan.missingOf(session)
    return rankForBytes(model, free, { bytes, inFlight: (store) => this.#starter.sending(store.id) })
  }

  /** Whether a session of this store is silent for suspiciously long. */
  isInDoubt(id: StoreId): boolean {
    return this.#context.plan
      .sessions()
      .some((session) => session.store === id && (this.#assessments.get(session.session)?.phi ?? 0) >= IN_DOUBT_PHI)
  }

  /** A suspect store that was heard after it fell silent may have sessions again, once its old ones are ended there. */
  trustAnswering(): void {
    const { directory, model, clock } = this.#context
    const nowMs = clock.now()
    for (const store of directory.stores()) {
      if (store.state !== 'suspect' || this.isInDoubt(store.id) || directory.isQuarantined(store, nowMs)) continue
      const heardMs = model.store(store.id).lastHeardMs
      if (heardMs === undefined || heardMs <= store.suspectSinceMs) continue
      if (store.route.heardAtMs <= store.suspectSinceMs) directory.leaveRoute(store.id, store.route)
      directory.trust(store.id, 'answers again')
    }
  }

  #describe(session: PlannedSession, assessment: RiskAssessment, nowMs: number): SessionRisk {
    const { directory, model, plan, runners } = this.#context
    const { server, connection, straggle, phi, gapMs, expectedRemainingMs } = assessment
    const store = directory.get(session.store)
    const runner = runners.get(session.session)
    // in a silence this short nothing was heard well after it began
    const isRecent = (atMs: number) => atMs > nowMs - gapMs + GRACE_MS
    const isStoreHeard = () =>
      gapMs > GRACE_MS && isRecent(model.store(session.store).lastHeardMs ?? Number.NEGATIVE_INFINITY)
    const byOtherRoute = store?.routes.some((route) => route !== runner?.route && isRecent(route.heardAtMs)) ?? false
    const byItsRoute = runner !== undefined && isRecent(runner.route.heardAtMs)
    return {
      remainingBytes: plan.missingOf(session),
      server,
      connection,
      straggle,
      phi,
      gapMs,
      ageMs: nowMs - (runner?.beganAtMs ?? nowMs),
      expectedRemainingMs,
      isCopy: session.kind === 'copy',
      hasCopy: plan.copiesOf(session.session).length > 0,
      hasOtherRoute: byOtherRoute && !byItsRoute,
      // a new connection is given as much time as the one before it
      answeredForMs: runner?.route.answering.forMs(Math.max(nowMs - gapMs, runner.reconnectedAtMs)) ?? 0,
      answerMs: byItsRoute ? this.#answerMs(runner.route, session.store) : 0,
      toldForMs: store ? toldForMs(store, { nowMs, sinceMs: nowMs - gapMs }) : gapMs,
      answersElsewhere: byItsRoute || (!byOtherRoute && isStoreHeard()),
      storeIsSuspect: store?.state === 'suspect',
      freshTries: runner?.freshTries ?? 0,
    }
  }

  /** What the slowest of its answers took beyond the two round trips of a new connection. */
  #answerMs({ answering }: Route, store: StoreId): number {
    return Math.max(0, answering.slowestMs - 2 * (this.#context.model.store(store).minRequestRttMs ?? 0))
  }

  #apply(remedy: Exclude<Remedy, { kind: 'none' }>, { session, nowMs, assessment, around }: InDoubt): void {
    const { alternatives } = around
    const reasons = { assessment, alternatives, reason: remedy.reason }
    switch (remedy.kind) {
      case 'freshConnection':
      case 'otherRoute':
        return this.#reconnect(session, remedy.kind, reasons)
      case 'split': {
        const victim = { acked: session.acked, end: session.end, rateBytesPerSecond: assessment.rateBytesPerSecond }
        const end = decideSlowSplit(victim, SLOW_KEEPS_MS, this.#context.plan.sizeBytes)
        if (end === undefined) return
        const isIdle = alternatives.some(({ store }) => this.#starter.sending(store) === 0)
        // while others have work nobody waits for the tail
        if (around.unassignedBytes === 0 && isIdle) this.#starter.split(session, end, reasons)
        else this.#starter.agreeSplit(session, end, reasons)
        return
      }
      case 'takeOver':
        this.#context.directory.suspect(session.store, remedy.reason, nowMs)
        return this.#outcomes.takeOver(session, reasons)
      case 'copy': {
        const withRoom = alternatives.filter(({ store }) => this.#starter.hasRoom(store))
        const [free] = drawForBytes(withRoom, this.#context.plan.missingOf(session), this.#context.randomness)
        // the concurrency limit binds copies like everything else: with the next tick there may be room
        if (!free) return
        if (assessment.phi >= IN_DOUBT_PHI) this.#context.directory.suspect(session.store, remedy.reason, nowMs)
        return this.#starter.copy(session, { ...reasons, store: free.store, gain: remedy.gain })
      }
    }
  }

  /** Once for each change of the kind of reason, and at most once a second: the figures change with every tick. */
  #noteWithheld({ code, reason, gain }: Refusal, { session, assessment, around, nowMs }: InDoubt): void {
    const before = this.#withheld.get(session.session)
    if (before && (before.code === code || nowMs - before.atMs < WITHHELD_AGAIN_MS)) return
    this.#withheld.set(session.session, { code, atMs: nowMs })
    this.#context.log.emit({
      type: 'withheld',
      ...nameSession(this.#context, session),
      ...{ code, reason, ...(gain && { gain: rounded(gain) }) },
      ...knownOf(assessment, around.alternatives),
    })
  }

  #reconnect(session: PlannedSession, remedy: 'freshConnection' | 'otherRoute', reasons: Reasons): void {
    const { directory, runners, log } = this.#context
    const runner = runners.get(session.session)
    if (!runner) return
    if (remedy === 'otherRoute') directory.leaveRoute(session.store, runner.route)
    runner.freshTries += 1
    runner.reconnectedAtMs = this.#context.clock.now()
    log.emit({
      type: 'reconnect',
      ...nameSession(this.#context, session),
      remedy,
      reason: reasons.reason,
      endpoint: runner.store.route.endpoint,
      ...knownOf(reasons.assessment, reasons.alternatives ?? []),
    })
    runner.reconnect()
  }
}

/** How long into a silence somebody would have told of what arrives. A stream that does not come back is not waited for. */
function toldForMs({ tellsSinceMs, route }: Store, { nowMs, sinceMs }: { nowMs: number; sinceMs: number }): number {
  if (tellsSinceMs === Number.POSITIVE_INFINITY) return Math.max(0, route.answering.forMs(sinceMs) - STREAM_GRACE_MS)
  return nowMs - Math.max(sinceMs, tellsSinceMs)
}

function reconnectGraceMs(freshTries: number): number {
  return Math.min(LONGEST_RECONNECT_GRACE_MS, RECONNECT_GRACE_MS * 2 ** Math.max(0, freshTries - 1))
}
