import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, totalBytes } from 'tus-reconcile-protocol'
import type { ConcurrencyChange, FlowSample } from '../partitioning/concurrency-search.js'
import { ConcurrencySearch } from '../partitioning/concurrency-search.js'
import type { PlannedSession, StoreId } from '../partitioning/partition-plan.js'
import { decideSlowSplit, decideTail } from '../partitioning/split-policy.js'
import type { PathGauge, PathState } from './path-gauge.js'
import type { RiskWatch } from './risk-watch.js'
import type { Store } from './server-directory.js'
import type { SessionStarter } from './session-starter.js'
import { UNKNOWN_RTT_MS } from './store-ranking.js'
import type { TransferContext } from './transfer-context.js'

/** A session that is tried takes what it can send in this time: a trial's length (guess). */
const PIECE_MS = 1_500
const LEAST_PIECE_BYTES = 2 * BLOCK_SIZE
/** A session whose path is in doubt keeps what is on its way already (guess: a round trip and a full queue). */
const KEEPS_MS = 400
/** Round trips that are compared between paths are no further apart: queues come and go (guess). */
const AT_ONCE_MS = 1_500
/** Who was heard within two ticks is there while others are silent. */
const JUST_NOW_MS = 500
/** Less than this to go, at the present rate: more sessions would not pay for their start (guess). */
const WORTHWHILE_MS = 1_500

/** How many sessions of the upload send at once, found by measuring, and by which stores more of them may go. */
export class FlowControl {
  readonly #context: TransferContext
  readonly #starter: SessionStarter
  readonly #watch: RiskWatch
  readonly #gauge: PathGauge
  readonly #search: ConcurrencySearch
  /** Stores that something was sent to. */
  readonly #tried = new Set<StoreId>()

  constructor(context: TransferContext, parts: { starter: SessionStarter; watch: RiskWatch; gauge: PathGauge }) {
    this.#context = context
    this.#starter = parts.starter
    this.#watch = parts.watch
    this.#gauge = parts.gauge
    this.#search = new ConcurrencySearch(context.options.maxSessions)
  }

  /** Sessions that may send now. */
  get limit(): number {
    return this.isByStore ? this.#usable().length : this.#search.limit
  }

  /** Where there are mirrors each store has one session; only to a server alone their number is searched for. */
  get isByStore(): boolean {
    const { directory, options } = this.#context
    return directory.stores().length > 1 || typeof options.mirrors === 'function' || options.mirrors.length > 0
  }

  /** Nobody else is to send, or the others do not: what there is goes out in one request. */
  get isAlone(): boolean {
    return !this.isByStore && this.#search.limit === 1
  }

  /** Whether one of those that send may have to be given back: it gets no more than a piece. */
  get isTrying(): boolean {
    return !this.isByStore && this.#search.isTrying
  }

  /** With each tick: what has flowed, and what follows from it. */
  tick(nowMs: number): void {
    if (this.isByStore) return
    const { plan, model } = this.#context
    const sending = plan.sessions().filter(isSending)
    for (const { store } of sending) this.#tried.add(store)
    const used = this.#usable().filter(({ id }) => sending.some(({ store }) => store === id))
    const free = this.#free(sending)
    const { mayBeLull } = this.#search
    for (const store of this.#usable()) {
      if (mayBeLull ? !used.includes(store) : this.#gauge.isFull(store.id) !== false) this.#gauge.ask(store, mayBeLull)
    }
    const open = free.filter(({ id }) => this.#isOpen(id))
    const change = this.#search.observe({
      nowMs,
      ackedBytes: totalBytes(plan.acknowledged()),
      sending: sending.length,
      room: this.#isWorthwhile(sending) ? open.reduce((sum, { id }) => sum + this.#starter.room(id), 0) : 0,
      evidence: this.#evidence(used, open),
      hasFreshHost:
        this.#isWorthwhile(sending) &&
        free.some((store) => !used.includes(store) && store.route.heardAtMs > nowMs - JUST_NOW_MS),
      isFull: used.length > 0 && used.every(({ id }) => this.#gauge.isFull(id) === true),
      requestRttMs: Math.max(0, ...used.map(({ id }) => model.store(id).requestRttMs ?? UNKNOWN_RTT_MS)),
    })
    if (change) this.#apply(change, nowMs)
  }

  /** Whether a standing queue is on the way there: a session more would bring less than by another path. */
  isFull(store: StoreId): boolean {
    return this.#gauge.isFull(store) === true
  }

  #apply(change: ConcurrencyChange, nowMs: number): void {
    const { log } = this.#context
    log.emit({ type: 'concurrency', ...rounded(change), paths: this.#paths() }, nowMs)
    if (change.kind !== 'add') return
    if (change.reason === 'lull') this.#leaveToOthers(change.beforeBytesPerSecond ?? 0)
    this.#context.wake()
  }

  /** Nothing is unassigned, and one more session is tried: the end of the longest is cut off for it. Undefined when there is none. */
  cutPiece(): ByteRange | undefined {
    const { plan } = this.#context
    const longest = this.#longest()
    const assessment = longest && this.#watch.assessmentOf(longest.session)
    if (!assessment) return undefined
    const pieceBytes = Math.max(LEAST_PIECE_BYTES, (assessment.rateBytesPerSecond * PIECE_MS) / 1000)
    const end = decideTail(longest, pieceBytes, plan.sizeBytes)
    if (end === undefined) return undefined
    this.#starter.split(longest, end, { reason: 'one more session is tried', assessment })
    return { start: end, end: longest.end }
  }

  /** Who has most to send is what is missed: it keeps what is on its way. */
  #leaveToOthers(rateBytesPerSecond: number): void {
    const longest = this.#longest()
    const assessment = longest && this.#watch.assessmentOf(longest.session)
    if (!assessment) return
    const rate = Math.max(assessment.rateBytesPerSecond, rateBytesPerSecond)
    const victim = { ...longest, rateBytesPerSecond: rate }
    const end = decideSlowSplit(victim, KEEPS_MS, this.#context.plan.sizeBytes)
    if (end !== undefined) this.#starter.split(longest, end, { reason: 'bytes cease to flow', assessment })
  }

  #longest(): PlannedSession | undefined {
    const { plan } = this.#context
    return plan
      .sessions()
      .filter((session) => session.kind !== 'copy' && plan.copiesOf(session.session).length === 0)
      .sort((a, b) => b.end - b.acked - (a.end - a.acked))[0]
  }

  /** No queue is on the way; or nothing was sent there yet, and nothing speaks against it: small delays on a busy machine do not. */
  #isOpen(store: StoreId): boolean {
    return this.#gauge.isFull(store) === false || (!this.#tried.has(store) && !this.#search.hasFailed)
  }

  /** What says that more sessions carry more, wherever bytes are lost or not. */
  #evidence(used: readonly Store[], open: readonly Store[]): FlowSample['evidence'] {
    const { share } = this.#context
    if (open.some(({ id }) => share.isMultiplexed(id))) return 'window'
    const isFull = used.length > 0 && used.every(({ id }) => this.#gauge.isFull(id, AT_ONCE_MS) === true)
    const hasRoute = open.some((store) => !used.includes(store) && this.#gauge.isFull(store.id, AT_ONCE_MS) === false)
    if (isFull && hasRoute) return 'route'
    return open.some(({ id }) => !this.#tried.has(id)) ? 'unknown' : undefined
  }

  #paths(): PathState[] {
    return this.#context.directory.stores().flatMap(({ id }) => this.#gauge.stateOf(id) ?? [])
  }

  #usable(): Store[] {
    return this.#context.directory.stores().filter((store) => this.#starter.canTake(store))
  }

  /** Stores with room for one more session, that are not in doubt. */
  #free(sending: readonly PlannedSession[]): Store[] {
    if (sending.length >= this.#context.options.maxSessions) return []
    return this.#usable().filter(({ id }) => this.#starter.room(id) > 0 && !this.#watch.isInDoubt(id))
  }

  /** There are bytes to share that take a while yet. */
  #isWorthwhile(sending: readonly PlannedSession[]): boolean {
    const { plan, model } = this.#context
    const bytes = sending.reduce((sum, { acked, end }) => sum + end - acked, totalBytes(plan.unassigned()))
    const rate = model.aggregateGoodput()
    return bytes > 2 * BLOCK_SIZE && rate !== undefined && bytes > (rate * WORTHWHILE_MS) / 1000
  }
}

function isSending({ acked, end }: PlannedSession): boolean {
  return acked < end
}

function rounded(change: ConcurrencyChange): ConcurrencyChange {
  const { beforeBytesPerSecond: before, afterBytesPerSecond: after } = change
  return {
    ...change,
    beforeBytesPerSecond: before === null ? null : Math.round(before),
    afterBytesPerSecond: after === null ? null : Math.round(after),
  }
}
