import { LinkPace, type Span } from './link-pace.js'
import type { StorePriors } from './priors.js'
import { SessionRecord } from './session-record.js'
import type { StoreMemory } from './store-memory.js'
import { SharedGoodput, StoreRecord } from './store-record.js'

/** The caller's own name of a session, one for each in flight. */
export type SessionKey = string
/** The caller's own name of a server, the same for as long as what was seen of it is to count. */
export type StoreKey = string

export interface SessionStart {
  nowMs: number
  session: SessionKey
  store: StoreKey
  /** What it is to send. */
  rangeBytes: number
  /** How long that was planned to take, its start included; above 0. Default: what the model itself expects. */
  plannedMs?: number | undefined
}

/** Guess: far more than anybody uploads to. */
const MOST_STORES = 256
/** Guess: nobody gives up a question sooner (the engine's least deadline). */
const LEAST_DEADLINE_MS = 1_500
/** Guess: whoever failed in the dark tries again by then. */
const LONGEST_IDLE_MS = 5_000

/** All sessions in flight and the stores seen, at most 256 unless more are in use, and what can only be said of them together. */
export class Fleet {
  readonly sessions: Map<string, SessionRecord> = new Map()
  readonly stores: Map<string, StoreRecord> = new Map()
  readonly goodput: SharedGoodput = new SharedGoodput()
  readonly pace: LinkPace = new LinkPace()
  /** Stores that left a question unanswered while nobody spoke. */
  readonly #lostInTheDark: Set<StoreRecord> = new Set()
  /** Last sign of life of anybody, or the end of a local pause. */
  #lastLifeMs: number = Number.NEGATIVE_INFINITY

  /** Since when nothing was heard although something was in flight. */
  #silentSinceMs: number = Number.NEGATIVE_INFINITY
  /** Since when nothing is in flight. */
  #idleSinceMs: number = Number.NEGATIVE_INFINITY

  readonly #priors: StorePriors

  constructor(priors: StorePriors) {
    this.#priors = priors
  }

  get lastLifeMs(): number {
    return this.#lastLifeMs
  }

  store(key: string, nowMs: number): StoreRecord {
    const known = this.stores.get(key)
    if (known !== undefined) return known
    this.#forgetOne()
    const created = this.justMet(nowMs)
    this.stores.set(key, created)
    return created
  }

  /** A store of which nothing is known but what stores are like. */
  justMet(nowMs: number): StoreRecord {
    return new StoreRecord(nowMs, this.#priors.memory, this.#priors.hazard)
  }

  /** A store that is remembered from before. */
  remember(key: string, nowMs: number, memory: StoreMemory): void {
    this.#forgetOne()
    this.stores.set(key, new StoreRecord(nowMs, memory, this.#priors.hazard))
  }

  /** Puts a session in flight, in place of one of the same key. */
  begin({ nowMs, session, rangeBytes, plannedMs, store: storeKey }: SessionStart): void {
    this.remove(nowMs, session)
    const store = this.store(storeKey, nowMs)
    const record = new SessionRecord({ nowMs, storeKey, store, rangeBytes, optimism: this.pace.optimism })
    const sessionsInFlight = this.sessions.size + 1
    const expected = this.expectedRateOfNew(store, sessionsInFlight)
    if (expected !== undefined) record.expectFromStore(expected, sessionsInFlight)
    if (plannedMs !== undefined) record.expectToTake(plannedMs)
    store.goodput.started(nowMs)
    this.goodput.started(nowMs)
    if (this.sessions.size === 0) this.#silentSinceMs = nowMs - this.#carriedSilenceMs(nowMs)
    this.sessions.set(session, record)
  }

  remove(nowMs: number, key: SessionKey): void {
    const session = this.sessions.get(key)
    if (session === undefined) return
    this.sessions.delete(key)
    if (this.sessions.size === 0) {
      this.goodput.idle()
      this.#idleSinceMs = nowMs
    }
    if (![...this.sessions.values()].some(({ store }) => store === session.store)) session.store.goodput.idle()
  }

  /** A store spoke, through `speaker` or over a connection of its own: it vouches for the link to all other sessions. */
  signOfLife(nowMs: number, storeKey: string, speaker?: SessionRecord): void {
    const store = this.store(storeKey, nowMs)
    for (const session of this.sessions.values()) {
      if (session === speaker) continue
      session.witness.lifeElsewhere({
        nowMs,
        allSilentSinceMs: this.#silentSinceMs,
        observersRhythmMs: this.#observersRhythmMs(session),
        probeLost: this.#probeLostSince(session) || store.isOverdue(nowMs, session.witness.sinceMs),
      })
    }
    store.heard(nowMs, speaker === undefined ? 'apart' : 'inSession')
    for (const other of this.#lostInTheDark) other.mayBeAskedAnew()
    this.#lostInTheDark.clear()
    this.#lastLifeMs = nowMs
    this.#silentSinceMs = nowMs
  }

  /**
   * A question to the store was lost. Where another was answered meanwhile, and promptly, no outage excuses the store's
   * sessions. Where none was, new connections are held up: what others move over old ones does not vouch for a start.
   */
  probeLost(nowMs: number, store: StoreRecord): void {
    const askedMs = store.probeLost(nowMs)
    if (this.#lastLifeMs <= (askedMs ?? nowMs)) this.#lostInTheDark.add(store)
    if (askedMs === undefined) return
    const stores = [...this.stores.values()]
    const isHeldUp = !stores.some((other) => other.hasAnsweredSince(askedMs))
    const isPassedBy = stores.some((other) => other !== store && other.hasAnsweredPromptlySince(askedMs))
    for (const session of this.sessions.values()) {
      if (isHeldUp && session.isStarting && session.store !== store) session.witness.unheardSince(askedMs, nowMs)
      // what is lost sooner was asked before a heartbeat that passed for its answer
      if (isPassedBy && session.store === store)
        session.witness.unansweredSince(Math.min(askedMs, nowMs - LEAST_DEADLINE_MS))
    }
  }

  /** -log10 P(everybody silent since the last sign of life of anybody | link good); 0 with nothing in flight. */
  commonPhi(nowMs: number): number {
    return this.#least((session) => session.phi(Math.max(0, Math.min(session.gapMs(nowMs), nowMs - this.#lastLifeMs))))
  }

  /** The least suspicion among sessions in flight; 0 without any. */
  leastPhi(nowMs: number): number {
    return this.#least((session) => session.phi(session.gapMs(nowMs)))
  }

  /** The best rate over forecast among sessions that moved since then. */
  bestRatio(sinceMs: number): number | undefined {
    let best: number | undefined
    for (const session of this.sessions.values()) {
      if (session.lastProgressMs <= sinceMs) continue
      const slowness = session.slowness(this.sessions.size)
      if (slowness !== undefined && slowness.trust >= 1) best = Math.max(best ?? 0, slowness.ratio)
    }
    return best
  }

  /** Median of rate over forecast among moving sessions of other stores. */
  peersRatio(of: SessionRecord, nowMs: number, silentPhi: number): number | undefined {
    const ratios: number[] = []
    for (const session of this.sessions.values()) {
      if (session.store === of.store || session.phi(session.gapMs(nowMs)) >= silentPhi) continue
      const slowness = session.slowness(this.sessions.size)
      if (slowness !== undefined) ratios.push(slowness.ratio)
    }
    ratios.sort((a, b) => a - b)
    const upper = ratios[Math.floor(ratios.length / 2)]
    const lower = ratios[Math.floor((ratios.length - 1) / 2)]
    return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2
  }

  /** How long the promptest of the last answers took, in usual starts; undefined without one in the last 2 s. */
  promptestAnswer(nowMs: number): number | undefined {
    const answers = [...this.stores.values()].flatMap((store) => store.answerStarts(nowMs) ?? [])
    return answers.length === 0 ? undefined : Math.min(...answers)
  }

  /** A store's queueing delay above the least of the others: what all queue behind is our own last mile. 0 without others. */
  privateQueueingMs(of: StoreRecord, nowMs: number): number {
    const ownMs = of.requestRtt.queueingDelayMs(nowMs)
    if (ownMs === 0) return 0
    let sharedMs = ownMs
    let hasOther = false
    for (const store of this.stores.values()) {
      if (store === of || store.requestRtt.minimumMs(nowMs) === undefined) continue
      hasOther = true
      sharedMs = Math.min(sharedMs, store.requestRtt.queueingDelayMs(nowMs))
    }
    return hasOther ? ownMs - sharedMs : 0
  }

  /** What a new session at this store may expect: its partitions so far, else a share of what flows. */
  expectedRateOfNew(store: StoreRecord, sessionsInFlight: number): number | undefined {
    const sameStore = [...this.sessions.values()].filter((session) => session.store === store).length + 1
    const ofStore = store.goodput.bytesPerSecond()
    const ofAll = this.goodput.bytesPerSecond()
    return (
      store.partitions.harmonicMean() ??
      (ofStore === undefined ? undefined : ofStore / sameStore) ??
      (ofAll === undefined ? undefined : ofAll / sessionsInFlight)
    )
  }

  /** An equal share of what all sessions get through the link; undefined before the first tick. */
  shareOfPace(span: Span, sessionsInFlight: number): number | undefined {
    const pace = this.pace.bytesPerSecond(span)
    return pace === undefined ? undefined : pace / Math.max(1, sessionsInFlight)
  }

  restartClocks(nowMs: number, pauseMs: number): void {
    for (const session of this.sessions.values()) session.restartClocks(nowMs, pauseMs)
    for (const store of this.stores.values()) {
      store.silentSinceMs = nowMs
      store.goodput.restart(nowMs)
    }
    this.goodput.restart(nowMs)
    this.pace.restart(nowMs)
    this.#lastLifeMs = nowMs
    this.#silentSinceMs = nowMs
    this.#idleSinceMs = nowMs
  }

  /** Before one more than 256: the store that was silent for longest and has nothing in flight. */
  #forgetOne(): void {
    if (this.stores.size < MOST_STORES) return
    const inUse = new Set([...this.sessions.values()].map(({ store }) => store))
    let oldest: [key: string, store: StoreRecord] | undefined
    for (const entry of this.stores) {
      if (inUse.has(entry[1])) continue
      if (oldest === undefined || entry[1].silentSinceMs < oldest[1].silentSinceMs) oldest = entry
    }
    if (oldest === undefined) return
    this.stores.delete(oldest[0])
    this.#lostInTheDark.delete(oldest[1])
  }

  /** The silence in which the last sessions ended, where nobody spoke since and others follow soon: it goes on. */
  #carriedSilenceMs(nowMs: number): number {
    const hasSpoken = this.#lastLifeMs >= this.#idleSinceMs
    if (hasSpoken || nowMs - this.#idleSinceMs > LONGEST_IDLE_MS) return 0
    return Math.max(0, this.#idleSinceMs - Math.max(this.#silentSinceMs, this.#lastLifeMs))
  }

  #least(phi: (session: SessionRecord) => number): number {
    return this.sessions.size === 0 ? 0 : Math.min(...[...this.sessions.values()].map(phi))
  }

  /** Rhythm of the liveliest other session that was moving, or began, when this one's open stretch began. */
  #observersRhythmMs(of: SessionRecord): number | undefined {
    const gaps = [...this.sessions.values()]
      .filter((other) => other !== of && other.lastProgressMs >= this.#silentSinceMs - 3 * other.rhythmMs)
      .map((other) => other.nextWordMs)
    return gaps.length === 0 ? undefined : Math.min(...gaps)
  }

  /** A probe to elsewhere (to the same store where there is no other) was lost in this session's open stretch. */
  #probeLostSince(of: SessionRecord): boolean {
    return [...this.stores.values()].some(
      (store) => (store !== of.store || this.stores.size === 1) && store.lastLostMs >= of.witness.sinceMs,
    )
  }
}
