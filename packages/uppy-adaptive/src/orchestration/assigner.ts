import type { ByteRange } from 'tus-reconcile-protocol'
import { totalBytes } from 'tus-reconcile-protocol'
import type { PlannedSession, StoreId } from '../partitioning/partition-plan.js'
import type { SizeDecision } from '../partitioning/partition-sizer.js'
import { decidePartitionSize } from '../partitioning/partition-sizer.js'
import { priorityOfType } from '../partitioning/priority.js'
import { decideSteal } from '../partitioning/split-policy.js'
import type { RankedStore } from '../redundancy/mirror-choice.js'
import type { RiskWatch } from './risk-watch.js'
import type { Store } from './server-directory.js'
import type { SessionStarter } from './session-starter.js'
import { drawForBytes, rankForBytes, UNKNOWN_RTT_MS } from './store-ranking.js'
import type { TransferContext } from './transfer-context.js'

/** A steal must bring the end at least this much nearer; anything less is noise between equal servers (guess). */
const MIN_STEAL_GAIN_MS = 1_000
/** Share of a partition's time that its failure costs: until it is measured, all of it, a straggler's wait included (guess). */
const LOST_SHARE = 1

/** Gives unassigned bytes to stores that have room, and splits the slowest session for one that is idle. */
export class Assigner {
  readonly #context: TransferContext
  readonly #starter: SessionStarter
  readonly #watch: RiskWatch
  readonly #previousBytes = new Map<StoreId, number>()
  /** Each store's latest session as it was begun, while it is in flight. */
  readonly #latest = new Map<StoreId, PlannedSession>()

  constructor(context: TransferContext, starter: SessionStarter, watch: RiskWatch) {
    this.#context = context
    this.#starter = starter
    this.#watch = watch
  }

  pass(): void {
    this.#noteSplits()
    // what is found need not be sent
    while (!this.#context.isSearching && this.#assignNext());
    if (this.#context.plan.unassigned().length === 0) this.#stealForIdle()
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
    const { plan, randomness } = this.#context
    const bytes = totalBytes(plan.unassigned())
    if (bytes === 0) return false
    for (const store of drawForBytes(this.#freeStores(bytes), bytes, randomness)) {
      const [gap] = this.#starter.sendable(store.store)
      if (!gap) continue
      this.#assign(store, gap)
      return true
    }
    return false
  }

  #freeStores(bytes: number): RankedStore[] {
    const { directory, model } = this.#context
    const free = directory
      .stores()
      .filter(
        (store) =>
          this.#starter.canTake(store) && this.#starter.sending(store.id) === 0 && this.#starter.hasRoom(store.id),
      )
    return rankForBytes(model, free, { bytes, inFlight: () => 0 })
  }

  #assign(store: RankedStore, gap: ByteRange): void {
    const size = this.#restrain(store.store, this.#size(store))
    const end = Math.min(gap.end, gap.start + size.sizeBytes)
    const session = this.#starter.begin({
      store: store.store,
      range: { start: gap.start, end },
      reason: size.reason,
      size,
    })
    if (session) this.#latest.set(store.store, session)
    if (size.reason !== 'endgame') this.#previousBytes.set(store.store, size.sizeBytes)
  }

  #restrain(id: StoreId, size: SizeDecision): SizeDecision {
    const store = this.#context.directory.get(id)
    const { initialSize } = this.#context.options.partitioning
    if (!store?.onProbation) return size
    store.onProbation = false
    return size.sizeBytes <= initialSize ? size : { ...size, sizeBytes: initialSize, reason: 'initial' }
  }

  #size(store: RankedStore): SizeDecision {
    const { model, options, plan, source } = this.#context
    const { initialSize, minSize, maxSize, targetSeconds } = options.partitioning
    return decidePartitionSize({
      goodputBytesPerSecond: store.goodputBytesPerSecond,
      requestRttMs: store.requestRttMs,
      meanTimeBetweenFailuresMs: model.store(store.store).meanTimeBetweenFailuresMs,
      lostShare: LOST_SHARE,
      previousBytes: this.#previousBytes.get(store.store),
      unassignedBytes: totalBytes(plan.unassigned()),
      concurrency: this.#usable().length,
      priority: options.priority ?? priorityOfType(source.contentType),
      initialBytes: initialSize,
      targetSeconds,
      limits: { minSizeBytes: minSize, maxSizeBytes: maxSize },
    })
  }

  #usable(): Store[] {
    return this.#context.directory.stores().filter((store) => store.state === 'ready')
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
    const thief = this.#freeStores(remaining).find(
      (store) => store.store !== session.store && this.#starter.inFlight(store.store) === 0,
    )
    if (!thief?.goodputBytesPerSecond) return
    const setupMs = 2 * (model.store(thief.store).requestRttMs ?? UNKNOWN_RTT_MS)
    const end = decideSteal(
      { ...session, rateBytesPerSecond: assessment.rateBytesPerSecond },
      { rateBytesPerSecond: thief.goodputBytesPerSecond, setupMs },
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
