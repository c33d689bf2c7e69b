import { rangeLength } from 'tus-reconcile-protocol'
import { isOutrun } from '../../partitioning/last-pieces.js'
import type { PlannedSession, StoreId } from '../../partitioning/partition-plan.js'
import type { SizeDecision } from '../../partitioning/partition-sizer.js'
import { decidePartitionSize } from '../../partitioning/partition-sizer.js'
import type { Priority, RankedRange } from '../../partitioning/priority.js'
import { decideSteal } from '../../partitioning/split-policy.js'
import type { RankedStore } from '../../redundancy/mirror-choice.js'
import { drawForBytes, rankForBytes, UNKNOWN_RTT_MS } from '../servers/store-ranking.js'
import type { SessionStarter } from '../sessions/session-starter.js'
import type { TransferContext } from '../transfer-context.js'
import type { FlowControl } from './flow-control.js'
import type { RiskWatch } from './risk-watch.js'

/** A steal must bring the end at least this much nearer; anything less is noise between equal servers (guess). */
const MIN_STEAL_GAIN_MS = 1_000

/** Gives unassigned bytes to stores that have room, and splits the slowest session for one that is idle. */
export class Assigner {
  readonly #context: TransferContext
  readonly #starter: SessionStarter
  readonly #watch: RiskWatch
  readonly #flow: FlowControl
  readonly #previousBytes = new Map<StoreId, number>()
  /** Each store's latest session as it was begun, while it is in flight. */
  readonly #latest = new Map<StoreId, PlannedSession>()

  constructor(context: TransferContext, parts: { starter: SessionStarter; watch: RiskWatch; flow: FlowControl }) {
    this.#context = context
    this.#starter = parts.starter
    this.#watch = parts.watch
    this.#flow = parts.flow
  }

  pass(): void {
    this.#noteSplits()
    // what is found need not be sent
    while (!this.#context.isSearching && this.#assignNext());
    const next = this.#nextPriority()
    if (next === undefined) {
      if (this.#flow.isShared) this.#cutForFree()
      else this.#stealForIdle()
    }
    this.#context.share.note(next)
  }

  /** Of the bytes that nobody has been given yet; undefined where all are given. */
  #nextPriority(): Priority | undefined {
    const { plan, order } = this.#context
    return order.find((range) => plan.unassignedWithin(range).next().done !== true)?.priority
  }

  /** Each session that may send beside others takes the end of the longest, which goes on undisturbed. */
  #cutForFree(): void {
    for (;;) {
      const [store] = this.#freeStores(1)
      const piece = store && this.#flow.cutPiece()
      if (!piece || !this.#starter.begin({ store: store.store, ...piece })) return
    }
  }

  /** A partition that was split was too large: the next one of its store starts from what it has become. */
  #noteSplits(): void {
    for (const [store, planned] of this.#latest) {
      const session = this.#context.plan.session(planned.session)
      if (!session) this.#latest.delete(store)
      else if (session.end < planned.end) this.#previousBytes.set(store, session.end - session.start)
    }
  }

  /** Begins one session; false when no free store may take any of the unassigned bytes. */
  #assignNext(): boolean {
    const bytes = this.#context.plan.unassignedBytes
    if (bytes === 0) return false
    for (const store of this.#inOrder(this.#freeStores(bytes), bytes)) {
      const range = this.#nextRange(store.store)
      if (!range) continue
      const size = this.#size(store, range)
      if (this.#isOutrun(store, Math.min(size.sizeBytes, rangeLength(range)))) continue
      this.#assign(store, range, this.#restrain(store.store, size))
      return true
    }
    return false
  }

  /** Others that may send it will be done before. */
  #isOutrun({ store, goodputBytesPerSecond, requestRttMs }: RankedStore, bytes: number): boolean {
    const { plan, onlyHome } = this.#context
    // without a queue it is what was lost that made it slow, and the next seconds may be better
    if (goodputBytesPerSecond === undefined || onlyHome.length > 0 || this.#flow.isFree(store)) return false
    return isOutrun({
      bytes,
      rateBytesPerSecond: goodputBytesPerSecond / (this.#starter.sending(store) + 1),
      setupMs: requestRttMs,
      restBytes: plan.sizeBytes - plan.acknowledgedBytes,
      otherRates: this.#ratesOf((other) => other !== store).map((rate) => rate ?? 0),
    })
  }

  /** Of the stores that may take more, whatever they do now. */
  #ratesOf(isMeant: (store: StoreId) => boolean): (number | undefined)[] {
    const { directory, model } = this.#context
    const ready = directory.stores().filter((store) => isMeant(store.id) && this.#starter.canTake(store))
    return ready.map(({ id }) => model.store(id).goodputBytesPerSecond)
  }

  /** Of one priority; but what goes out in one request takes along what is next in any case. */
  #nextRange(store: StoreId): RankedRange | undefined {
    let next: RankedRange | undefined
    for (const range of this.#starter.sendable(store)) {
      if (next && (range.start !== next.end || !this.#flow.isAlone)) break
      next = next ? { ...next, end: range.end } : range
    }
    return next
  }

  /** Those that may begin a session, distinct ones before one that sends already: each path adds what it can carry. */
  #freeStores(bytes: number): RankedStore[] {
    const { directory, model } = this.#context
    const counts = this.#starter.sendingByStore()
    const sending = (store: StoreId) => counts.get(store) ?? 0
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
    if (all >= this.#flow.limit) return []
    const free = directory
      .stores()
      .filter((store) => this.#starter.canTake(store) && this.#starter.hasRoom(store.id))
      // between equals the home: what is there needs no fetching
      .sort((a, b) => a.server - b.server)
    // beside others that send, one that nothing is known of goes first: what it is worth shows when it has work
    const isKnown = ({ goodputBytesPerSecond: rate }: RankedStore) => rate !== undefined || all === 0
    const places = (store: RankedStore) => [
      Number(sending(store.store) > 0),
      Number(isKnown(store)),
      Number(this.#flow.isFull(store.store) || this.#watch.isInDoubt(store.store)),
      sending(store.store),
    ]
    return rankForBytes(model, free, { bytes, inFlight: () => 0 }).sort((a, b) => comparePlaces(places(a), places(b)))
  }

  /** By chance among those that are as free as the first; what nothing is known of is left in its place. */
  #inOrder(free: readonly RankedStore[], bytes: number): RankedStore[] {
    const [first] = free
    if (first?.goodputBytesPerSecond === undefined) return [...free]
    const isAsFree = ({ store }: RankedStore) => this.#starter.sending(store) === this.#starter.sending(first.store)
    const equals = drawForBytes(free.filter(isAsFree), bytes, this.#context.randomness)
    return [...equals, ...free.filter((store) => !isAsFree(store))]
  }

  #assign(store: RankedStore, gap: RankedRange, size: SizeDecision): void {
    const end = Math.min(gap.end, gap.start + size.sizeBytes)
    const session = this.#starter.begin({
      store: store.store,
      range: { start: gap.start, end },
      reason: size.reason,
      size,
    })
    // what took all that there was, or its end, says nothing of what a good size is
    if (size.reason === 'alone') return
    if (session) this.#latest.set(store.store, session)
    if (size.reason !== 'endgame' && size.reason !== 'priority') this.#previousBytes.set(store.store, size.sizeBytes)
  }

  #restrain(id: StoreId, size: SizeDecision): SizeDecision {
    const store = this.#context.directory.get(id)
    const { initialSize } = this.#context.options.partitioning
    if (!store?.onProbation) return size
    store.onProbation = false
    return size.sizeBytes <= initialSize ? size : { ...size, sizeBytes: initialSize, reason: 'initial' }
  }

  #size(store: RankedStore, gap: RankedRange): SizeDecision {
    const { model, options, plan, histories } = this.#context
    const { meanTimeBetweenFailuresMs, lossShare, minRequestRttMs = 0 } = model.store(store.store)
    const { lostShare = 1, stretch = 1 } = histories.get(store.store) ?? {}
    const { initialSize, minSize, maxSize, targetSeconds } = options.partitioning
    // the store's, which its sessions share
    const goodputBytesPerSecond =
      store.goodputBytesPerSecond && store.goodputBytesPerSecond / (this.#starter.sending(store.store) + 1)
    return decidePartitionSize({
      goodputBytesPerSecond,
      requestRttMs: store.requestRttMs,
      ...{ minRequestRttMs, meanTimeBetweenFailuresMs, lossShare, lostShare, stretch },
      previousBytes: this.#previousBytes.get(store.store),
      unassignedBytes: plan.unassignedBytes,
      urgentBytes: gap.priority === 'high' ? this.#urgentBytes() : undefined,
      concurrency: this.#flow.limit,
      rateShare: this.#shareOf(store.store, goodputBytesPerSecond),
      aggregateBytesPerSecond: model.aggregateGoodput(),
      isAlone: this.#flow.isAlone,
      priority: gap.priority,
      initialBytes: initialSize,
      targetSeconds,
      limits: { minSizeBytes: minSize, maxSizeBytes: maxSize },
    })
  }

  /** Of what all stores send together; an equal one while not every store is known, or nothing but what is lost sets the pace. */
  #shareOf(store: StoreId, rate: number | undefined): number {
    const equal = 1 / this.#flow.limit
    const rates = this.#ratesOf(() => true)
    const all = rates.reduce<number>((sum, each) => sum + (each ?? 0), 0)
    if (rate === undefined || all <= 0 || rates.includes(undefined) || this.#flow.isFree(store)) return equal
    // who is slow now may be left with less by mistake, and who is fast with too much
    return this.#flow.isSaturated ? Math.min(1, rate / all) : Math.min(equal, rate / all)
  }

  #urgentBytes(): number {
    const { plan, order } = this.#context
    const urgent = order.filter(({ priority }) => priority === 'high')
    return urgent.flatMap((range) => [...plan.unassignedWithin(range)]).reduce((sum, gap) => sum + rangeLength(gap), 0)
  }

  /** Nothing is unsent: an idle store takes the tail of the session that would end last, where that is worth it. */
  #stealForIdle(): void {
    const { plan, model } = this.#context
    const victim = plan
      .sessions()
      .filter((session) => session.kind !== 'copy' && plan.copiesOf(session.session).length === 0)
      .map((session) => ({ session, assessment: this.#watch.assessmentOf(session.session) }))
      .sort((a, b) => (b.assessment?.expectedRemainingMs ?? 0) - (a.assessment?.expectedRemainingMs ?? 0))[0]
    if (!victim?.assessment || victim.assessment.rateBytesPerSecond <= 0) return
    const { session, assessment } = victim
    const remaining = session.end - session.acked
    // one that has handed all over is free again, and no other server for that
    const [thief] = this.#freeStores(remaining).filter(({ store }) => store !== session.store)
    if (!thief?.goodputBytesPerSecond) return
    const setupMs = 2 * (model.store(thief.store).requestRttMs ?? UNKNOWN_RTT_MS)
    const end = decideSteal(
      { ...session, rateBytesPerSecond: assessment.rateBytesPerSecond },
      { rateBytesPerSecond: thief.goodputBytesPerSecond / (this.#starter.sending(thief.store) + 1), setupMs },
      plan.sizeBytes,
    )
    if (end === undefined) return
    const gainMs = assessment.expectedRemainingMs - ((end - session.acked) / assessment.rateBytesPerSecond) * 1000
    if (gainMs < MIN_STEAL_GAIN_MS) return
    this.#starter.split(session, end, {
      reason: `${(assessment.expectedRemainingMs / 1000).toFixed(1)} s to go here while another server is idle`,
      assessment,
      alternatives: [thief],
    })
  }
}

/** By the first in which they differ. */
function comparePlaces(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((place, i) => place !== b[i])
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0)
}
