import type { ByteRange } from 'tus-reconcile-protocol'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { ConcurrencyChange } from '../../partitioning/concurrency-search.js'
import { ConcurrencySearch } from '../../partitioning/concurrency-search.js'
import type { PlannedSession, StoreId } from '../../partitioning/partition-plan.js'
import { decideSteal, decideTail } from '../../partitioning/split-policy.js'
import type { PathGauge } from '../servers/path-gauge.js'
import type { Store } from '../servers/server-directory.js'
import { UNKNOWN_RTT_MS } from '../servers/store-ranking.js'
import type { SessionStarter } from '../sessions/session-starter.js'
import type { TransferContext } from '../transfer-context.js'
import type { RiskWatch } from './risk-watch.js'

/** A session that is tried takes what it can send in this time: a trial's length (guess). */
const TRIAL_PIECE_MS = 1_500
/** One of a number that has been kept: fewer requests, and still soon given back (guess: the longest window of a partition). */
const PIECE_MS = 4_000
const LEAST_PIECE_BYTES = 2 * BLOCK_SIZE
/** METHODS, Stall suspicion: from here on a silence is watched. */
const WATCHED_PHI = 1
/** Less than this to go, at the present rate: more sessions would not pay for their start (guess). */
const WORTHWHILE_MS = 1_500

/** How many sessions of the upload send at once: one to each store, and as many more as measuring finds. */
export class FlowControl {
  readonly #context: TransferContext
  readonly #starter: SessionStarter
  readonly #watch: RiskWatch
  readonly #gauge: PathGauge
  readonly #search: ConcurrencySearch

  constructor(context: TransferContext, parts: { starter: SessionStarter; watch: RiskWatch; gauge: PathGauge }) {
    this.#context = context
    this.#starter = parts.starter
    this.#watch = parts.watch
    this.#gauge = parts.gauge
    this.#search = new ConcurrencySearch(context.options.maxSessions)
  }

  /** Sessions that may send now. */
  get limit(): number {
    return this.#search.limitOf(this.#usable().length)
  }

  /** Nobody else is to send, or the others do not: what there is goes out in one request. */
  get isAlone(): boolean {
    return !this.#hasMirrors && this.limit === 1
  }

  /** More send than one to each store: who is free takes no more than a piece, as it may have to be given back. */
  get isShared(): boolean {
    return this.limit > Math.max(1, this.#usable().length)
  }

  /** With each tick: what has flowed, and what follows from it. */
  tick(nowMs: number): void {
    const usable = this.#usable()
    if (usable.length === 0) return
    const { plan, model, log, share } = this.#context
    const hasSmallWindows = usable.every(({ id }) => share.isMultiplexed(id))
    // streams of one server share a connection, which takes no more of the path for them
    const isOneConnection = hasSmallWindows && usable.length === 1
    if (!isOneConnection) for (const store of usable) this.#gauge.ask(store, { isUrgent: this.#search.isBelow })
    const sending = plan.sessions().filter(({ acked, end }) => acked < end)
    const used = usable.filter(({ id }) => sending.some(({ store }) => store === id))
    const change = this.#search.observe({
      nowMs,
      ackedBytes: plan.acknowledgedBytes,
      hosts: usable.length,
      sending: sending.length,
      room: this.#room(sending, { usable, isOneConnection }),
      hasSmallWindows,
      isQuiet: used.every(({ id }) => this.#gauge.isFull(id) === false),
      isFull: !hasSmallWindows && used.length > 0 && used.every(({ id }) => this.isFull(id)),
      requestRttMs: Math.min(...usable.map(({ id }) => model.store(id).requestRttMs ?? UNKNOWN_RTT_MS)),
      minRequestRttMs: Math.min(...usable.map(({ id }) => model.store(id).minRequestRttMs ?? UNKNOWN_RTT_MS)),
    })
    if (!change) return
    const paths = usable.flatMap(({ id }) => this.#gauge.stateOf(id) ?? [])
    log.emit({ type: 'concurrency', ...rounded(change), paths }, nowMs)
    if (change.kind === 'add') this.#context.wake()
  }

  /** Whether a standing queue is on the way there: a session more would bring less than by another path. */
  isFull(store: StoreId): boolean {
    return this.#gauge.isFull(store) === true
  }

  /** A queue stands on the way to each server, or did a while ago: rates are the link's and the servers' own, and last. */
  get isSaturated(): boolean {
    const usable = this.#usable()
    return usable.length > 0 && usable.every(({ id }) => this.#gauge.wasFull(id))
  }

  /** It is known that none is: what is lost on the way sets the pace, or the server does. */
  isFree(store: StoreId): boolean {
    return this.#gauge.isFull(store) === false
  }

  /** Nothing is unassigned, and one more session may send: the end of the longest is cut off for it. Undefined where that is not worth a request. */
  cutPiece(): { range: ByteRange; reason: 'trial' | 'shared' } | undefined {
    const { plan, model, runners } = this.#context
    const longest = this.#longest()
    const assessment = longest && this.#watch.assessmentOf(longest.session)
    if (!assessment) return undefined
    const { rateBytesPerSecond } = assessment
    const setupMs = 2 * (model.store(longest.store).requestRttMs ?? UNKNOWN_RTT_MS)
    if (decideSteal({ ...longest, rateBytesPerSecond }, { rateBytesPerSecond, setupMs }, plan.sizeBytes) === undefined)
      return undefined
    const isTrial = this.#search.isTrying
    const pieceMs = isTrial ? TRIAL_PIECE_MS : PIECE_MS
    const end = decideTail(longest, Math.max(LEAST_PIECE_BYTES, (rateBytesPerSecond * pieceMs) / 1000), plan.sizeBytes)
    // what is handed over before its server hears of the cut would arrive twice
    const handedOver = (runners.get(longest.session)?.handedOver ?? 0) + (rateBytesPerSecond * setupMs) / 1000
    if (end === undefined || end < handedOver) return undefined
    const reason = isTrial ? 'one more session is tried' : 'several sessions send at once'
    this.#starter.split(longest, end, { reason, assessment })
    return { range: { start: end, end: longest.end }, reason: isTrial ? 'trial' : 'shared' }
  }

  #longest(): PlannedSession | undefined {
    const { plan } = this.#context
    return plan
      .sessions()
      .filter((session) => session.kind !== 'copy' && plan.copiesOf(session.session).length === 0)
      .sort((a, b) => b.end - b.acked - (a.end - a.acked))[0]
  }

  #usable(): Store[] {
    return this.#context.directory.stores().filter((store) => this.#starter.canTake(store))
  }

  get #hasMirrors(): boolean {
    const { directory, options } = this.#context
    return directory.stores().length > 1 || typeof options.mirrors === 'function' || options.mirrors.length > 0
  }

  /** How many more could send: where there is no doubt, bytes for them, and no queue on the way that theirs would add to. */
  #room(
    sending: readonly PlannedSession[],
    { usable, isOneConnection }: { usable: readonly Store[]; isOneConnection: boolean },
  ): number {
    // where one store is all there is of several, or has several addresses, one session tells whom silence is to blame on
    const isLeftAlone = this.#hasMirrors && usable.length === 1
    if (isLeftAlone || !this.#isWorthwhile(sending)) return 0
    // less flows where one of several falls silent, and more beside it would only seem to help
    if (usable.length > 1 && sending.some(({ session }) => this.#isWatched(session))) return 0
    // a server alone is tried on weaker evidence: nothing else helps it
    const isFree = (id: StoreId) =>
      usable.length > 1 ? this.#gauge.isSurelyFree(id) : this.#gauge.isFull(id) === false
    const room = usable
      .filter(({ id }) => (isOneConnection || isFree(id)) && !this.#watch.isInDoubt(id))
      .reduce((sum, { id }) => sum + this.#starter.room(id), 0)
    return Math.min(room, this.#context.options.maxSessions - sending.length)
  }

  #isWatched(session: string): boolean {
    return (this.#watch.assessmentOf(session)?.phi ?? 0) >= WATCHED_PHI
  }

  /** There are bytes to share that take a while yet. */
  #isWorthwhile(sending: readonly PlannedSession[]): boolean {
    const { plan, model } = this.#context
    const bytes = sending.reduce((sum, { acked, end }) => sum + end - acked, plan.unassignedBytes)
    const rate = model.aggregateGoodput()
    return bytes > 2 * BLOCK_SIZE && rate !== undefined && bytes > (rate * WORTHWHILE_MS) / 1000
  }
}

function rounded(change: ConcurrencyChange): ConcurrencyChange {
  const { beforeBytesPerSecond: before, afterBytesPerSecond: after } = change
  return {
    ...change,
    beforeBytesPerSecond: before === null ? null : Math.round(before),
    afterBytesPerSecond: after === null ? null : Math.round(after),
  }
}
