import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { addRanges, blockFloor, EMPTY_RANGES, rangeLength, subtractRanges } from 'tus-reconcile-protocol'
import type { RiskAssessment } from 'upload-predictor'
import type { PlannedSession, SessionId, SessionKind, StoreId } from '../../partitioning/partition-plan.js'
import type { SizeDecision } from '../../partitioning/partition-sizer.js'
import type { RankedRange } from '../../partitioning/priority.js'
import { SplitTails } from '../../partitioning/split-tails.js'
import type { CopyGain } from '../../redundancy/copy-gain.js'
import type { RankedStore } from '../../redundancy/mirror-choice.js'
import type { Claims } from '../blocks/claims.js'
import { knownOf } from '../log/known.js'
import { rounded } from '../log/rounded.js'
import type { Operations } from '../servers/operations.js'
import type { Store } from '../servers/server-directory.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'
import type { SessionOutcomes } from './session-outcomes.js'
import { SessionRunner } from './session-runner.js'
import type { Terminations } from './terminations.js'

interface StartOrder {
  readonly store: StoreId
  readonly range: ByteRange
  readonly kind: SessionKind
  readonly partition: string
  readonly reason: string
  readonly size?: SizeDecision
  readonly of?: SessionId
}

/** Why something is done of a session, and what was known of it. */
export interface Reasons {
  readonly reason: string
  readonly assessment: RiskAssessment
  /** Best first. */
  readonly alternatives?: readonly RankedStore[]
}

/** A session with less than this left to send no longer keeps its store from beginning another: requests overlap. */
const DRAIN_MS = 150

/** Begins, copies and splits sessions: every new range in the plan goes through here. */
export class SessionStarter {
  readonly #context: TransferContext
  readonly #claims: Claims
  readonly #operations: Operations
  readonly #terminations: Terminations
  readonly #outcomes: SessionOutcomes
  readonly #tails = new SplitTails()
  /** Sessions whose server is asked for a lower end. */
  readonly #agreeing = new Set<SessionId>()

  constructor(
    context: TransferContext,
    parts: { claims: Claims; operations: Operations; terminations: Terminations; outcomes: SessionOutcomes },
  ) {
    this.#context = context
    this.#claims = parts.claims
    this.#operations = parts.operations
    this.#terminations = parts.terminations
    this.#outcomes = parts.outcomes
  }

  /** Whether the store may begin a session now. */
  canTake(store: Store): boolean {
    return store.state === 'ready' && !this.#terminations.isPending(store.id) && !this.#outcomes.isAsked(store.id)
  }

  /** Sessions of the store that still have more than a round trip's bytes to send. */
  sending(store: StoreId): number {
    const { plan, model } = this.#context
    const unsent = plan.sessions().filter((session) => session.store === store && session.acked < session.end)
    if (unsent.length === 0) return 0
    const { goodputBytesPerSecond = 0, requestRttMs = 0 } = model.store(store)
    const drain = (goodputBytesPerSecond * (requestRttMs + DRAIN_MS)) / 1000 / Math.max(1, unsent.length)
    return unsent.filter((session) => session.end - session.acked > drain).length
  }

  /** The same of all stores. */
  sendingByStore(): ReadonlyMap<StoreId, number> {
    return new Map(this.#context.directory.stores().map(({ id }) => [id, this.sending(id)]))
  }

  /** How many more sessions may send to the store, copies too, within what the page or process may have. */
  room(store: StoreId): number {
    return this.#context.share.room(store)
  }

  /** Whether one more session of the store may send. */
  hasRoom(store: StoreId): boolean {
    return this.room(store) > 0
  }

  /** What of the unassigned bytes the store may send, in the order in which they are to go. */
  *sendable(store: StoreId): Generator<RankedRange> {
    const { plan, order } = this.#context
    const others = this.#forOthers(store)
    for (const { priority, ...within } of order)
      for (const gap of plan.unassignedWithin(within))
        for (const range of subtractRanges([gap], others)) yield { ...range, priority }
  }

  /** Tails that were split off the store, while there are others to send them; and what the home itself is to get. */
  #forOthers(store: StoreId): RangeSet {
    const { plan, place, onlyHome, directory, clock } = this.#context
    const isUnassigned = (range: ByteRange) => plan.unassignedWithin(range).next().done !== true
    this.#tails.prune(isUnassigned, clock.now())
    const hasOthers = directory.stores().some((other) => other.id !== store && this.canTake(other))
    const tails = hasOthers ? this.#tails.of(store) : EMPTY_RANGES
    return store === place.store ? subtractRanges(tails, onlyHome) : addRanges(tails, ...onlyHome)
  }

  begin(order: Omit<StartOrder, 'partition' | 'kind'>): PlannedSession | undefined {
    const kind = this.#outcomes.wasTakenOver(order.range) ? 'takeOver' : 'first'
    return this.#start({ ...order, kind, partition: this.#context.plan.nextPartitionId() })
  }

  copy(original: PlannedSession, o: { store: StoreId; gain: CopyGain } & Reasons): void {
    const { plan, budget, log } = this.#context
    const range = { start: blockFloor(original.acked), end: original.end }
    const [rest] = plan.unverifiedWithin(range)
    if (!rest) return
    const copy = this.#start({
      store: o.store,
      range: rest,
      kind: 'copy',
      partition: original.partition,
      reason: o.reason,
      of: original.session,
    })
    if (!copy) return
    budget.spend(rangeLength(rest))
    const from = this.#context.directory.serverOf(original.store)
    log.emit({
      type: 'copy',
      ...nameSession(this.#context, copy),
      of: original.session,
      from,
      range: rest,
      reason: o.reason,
      gain: rounded(o.gain),
      ...knownOf(o.assessment, o.alternatives ?? []),
    })
  }

  /** Lowers a session's end here and on its server, which goes on with what stays; the tail is unassigned. */
  split(victim: PlannedSession, end: number, o: Reasons): void {
    const held = this.#lower(victim, end, o)
    if (held === undefined) return
    void this.#plan(victim, held).then((later) => {
      // those bytes arrive twice, which is waste and never wrong (DESIGN 5.2)
      if (later !== undefined && later > held)
        this.#context.log.emit({ type: 'warning', code: 'split-late', message: `a split at ${held} held at ${later}` })
    })
  }

  /** The same once the server has said which end holds: meanwhile the session goes on, and nothing arrives twice. */
  agreeSplit(victim: PlannedSession, end: number, o: Reasons): void {
    const { session } = victim
    if (this.#agreeing.has(session)) return
    this.#agreeing.add(session)
    void this.#plan(victim, end)
      .then((held) => held !== undefined && this.#lower(victim, Math.max(end, held), o))
      .finally(() => this.#agreeing.delete(session))
  }

  /** Here alone. Undefined where nothing of it moves any more. */
  #lower({ session, store }: PlannedSession, end: number, o: Reasons): number | undefined {
    const { plan, log, clock, runners } = this.#context
    const victim = plan.session(session)
    const held = plan.lowerEnd(session, end)
    if (!victim || held === undefined || held >= victim.end) return undefined
    const { expectedRemainingMs: expectedMs } = o.assessment
    this.#tails.add({ start: held, end: victim.end }, { victim: store, nowMs: clock.now(), expectedMs })
    log.emit({
      type: 'split',
      ...nameSession(this.#context, victim),
      ...{ oldEnd: victim.end, newEnd: held, reason: o.reason },
      ...knownOf(o.assessment, o.alternatives ?? []),
    })
    if (victim.acked >= held) runners.get(session)?.stopBodyAt(held)
    this.#context.wake()
    return held
  }

  #start(order: StartOrder): PlannedSession | undefined {
    const { plan, model, clock, log, statuses, randomness, directory, runners } = this.#context
    const store = directory.get(order.store)
    if (!store) return undefined
    const nowMs = clock.now()
    const session = plan.add({
      session: randomness.id(),
      partition: order.partition,
      store: order.store,
      kind: order.kind,
      ...order.range,
      ...(order.of === undefined ? {} : { of: order.of }),
    })
    statuses.addUpload(session.partition, session.session)
    statuses.setStatus(session.session, 'inProgress')
    // no plannedMs: the sizer plans bytes over the store's goodput alone, and its size is bounded besides, so that windowMs is
    // seldom what it takes; the model's forecast has the share of the link that is left, and the start
    const plannedMs = model.sessionStarted({
      nowMs,
      session: session.session,
      store: session.store,
      rangeBytes: rangeLength(order.range),
    })
    this.#claims.begin(session)
    const event = {
      type: 'session',
      ...nameSession(this.#context, session),
      ...order.range,
      kind: order.kind,
      reason: order.reason,
      windowMs: order.size?.windowMs ?? 0,
      goodputBytesPerSecond: model.store(order.store).goodputBytesPerSecond ?? null,
      plannedMs,
    } as const
    log.emit(event, nowMs)
    const runner = new SessionRunner(this.#context, session, store)
    if (plannedMs !== null) runner.planned = { ms: plannedMs, end: session.end }
    runners.set(session.session, runner)
    this.#outcomes.follow(runner)
    return session
  }

  /** Tells the server that the session ends there. It may hold more already: it says which end holds. Undefined: it did not say. */
  async #plan({ store, session }: PlannedSession, end: number): Promise<number | undefined> {
    const operation = { op: 'plan', changes: [{ session, end }] } as const
    try {
      const { sessions } = await this.#operations.ask(store, operation, this.#context.signal)
      return sessions.find((told) => told.session === session)?.end ?? undefined
    } catch {
      // the server goes on past the new end
      return undefined
    }
  }
}
