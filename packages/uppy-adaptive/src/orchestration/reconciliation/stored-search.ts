import type { RangeSet } from 'tus-reconcile-protocol'
import {
  addRanges,
  BLOCK_SIZE,
  blockCeil,
  blockFloor,
  EMPTY_RANGES,
  intersectRanges,
  subtractRanges,
  toRangeSet,
  totalBytes,
} from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import type { Operations } from '../servers/operations.js'
import type { SessionStarter } from '../sessions/session-starter.js'
import type { TransferContext } from '../transfer-context.js'
import type { Reconciliation } from './reconciliation.js'

/** Blocks asked about at once: 64 MiB, which are hashed in a tenth of a second (guess). */
const MOST_BLOCKS = 256
/** So many questions in a row that find nothing end the search (guess). */
const MOST_MISSES = 2
/** Less of what was asked about is no file that the store has, but blocks that many files have, such as zeros (guess). */
const LEAST_SHARE = 1 / 8
/** A session with less than this unsent is done before the answers are there (guess). */
const CUT_FROM_BYTES = 16 * BLOCK_SIZE

/**
 * Finds what a store has though nobody has sent it: of an upload whose journal is lost, or of another file of its scope.
 * Asked for by digest, far ahead of the sender, once a claim's answer has named some as copied (P226); until it ends no session begins, and one that would
 * send much more ends with what it has handed over: what is found in the rest need not be sent.
 */
export class StoredSearch {
  readonly #context: TransferContext
  readonly #operations: Operations
  readonly #reconciliation: Reconciliation
  readonly #starter: SessionStarter
  /** What is no news when a server names it as copied. */
  #known: RangeSet = EMPTY_RANGES

  constructor(
    context: TransferContext,
    parts: { operations: Operations; reconciliation: Reconciliation; starter: SessionStarter },
  ) {
    this.#context = context
    this.#operations = parts.operations
    this.#reconciliation = parts.reconciliation
    this.#starter = parts.starter
  }

  /** What servers had when the transfer began: what they copied of it was searched for then. */
  know(ranges: RangeSet): void {
    this.#known = addRanges(this.#known, ...ranges)
  }

  /** What a claim's answer names as copied: there, though nobody sent it. An event may have told before that it is verified. */
  onAttached(store: StoreId, attached: RangeSet): void {
    const news = subtractRanges(attached, this.#known)
    this.know(news)
    if (news.length > 0) this.#begin(store)
  }

  #begin(store: StoreId): void {
    if (this.#context.isSearching || this.#context.signal.aborted) return
    this.#context.isSearching = true
    this.#cutLong()
    void this.#run(store).finally(() => {
      this.#context.isSearching = false
      this.#context.wake()
    })
  }

  #cutLong(): void {
    const { plan, runners, model, clock } = this.#context
    for (const session of plan.sessions()) {
      const sent = Math.max(session.acked, runners.get(session.session)?.handedOver ?? session.start)
      if (session.end - sent < CUT_FROM_BYTES) continue
      const asked = { nowMs: clock.now(), session: session.session, remainingBytes: plan.missingOf(session) }
      const assessment = model.assess({ ...asked, isGlance: true })
      const reason = 'its server has what nobody sent: it is asked for more of it first'
      this.#starter.split(session, blockCeil(sent, plan.sizeBytes), { reason, assessment })
    }
  }

  async #run(store: StoreId): Promise<void> {
    const { plan, signal } = this.#context
    let [from, misses] = [0, 0]
    while (!signal.aborted && misses < MOST_MISSES) {
      const [gap] = plan.unverifiedWithin({ start: from, end: plan.sizeBytes })
      if (!gap) return
      const start = blockFloor(gap.start)
      const range = { start, end: Math.min(gap.end, start + MOST_BLOCKS * BLOCK_SIZE) }
      const missing = toRangeSet([...plan.unverifiedWithin(range)])
      const found = await this.#ask(store, range)
      if (found === undefined) return
      // a store copies for a second at most: what is left of these is asked about again; its event may be here before its answer
      const isNews = totalBytes(intersectRanges(found, missing)) >= LEAST_SHARE * totalBytes(missing)
      if (!isNews) {
        misses += 1
        from = range.end
      } else misses = 0
      this.know(found)
      this.#reconciliation.verify(found, 'have')
    }
  }

  /** Undefined: the store cannot be asked, and what it has is sent. */
  async #ask(store: StoreId, range: { start: number; end: number }): Promise<RangeSet | undefined> {
    const { leaves, signal } = this.#context
    try {
      await leaves.compute(range, signal)
      const blocks = leaves.known(range).map((leaf, i) => ({ start: range.start + i * BLOCK_SIZE, leaf }))
      if (blocks.length === 0) return undefined
      const { attached } = await this.#operations.ask(store, { op: 'have', blocks }, signal)
      return attached
    } catch {
      return undefined
    }
  }
}
