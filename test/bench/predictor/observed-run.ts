import { type RiskAssessment, RiskModel } from 'upload-predictor'
import { progressFeatures, RecentDurations } from './baselines.js'
import { copiedUpTo, type Surroundings } from './engine-copies.js'
import { expectedGain } from './expected-gain.js'
import type { SimulatedSession } from './simulated-session.js'
import { PLANNED_MS } from './simulated-session.js'
import { type Client, World, type WorldOptions } from './world.js'

/** Shares of the planned time at which everybody predicts. */
export const INSTANTS: readonly number[] = [0, 0.25, 0.5, 1]

/** What each predictor says; unbounded except where it is called a probability. */
export interface Scores {
  /** Ours: probabilities. */
  readonly risk: number
  /** Ours: `risk` as the outcomes of the upload so far correct it. */
  readonly calibrated: number
  readonly link: number
  /** Ours: this server failed, or is slow where others are not. */
  readonly server: number
  /** Ours without slowness: what the engine takes for a dead server. */
  readonly dead: number
  /** Ours: the connection alone waits for TCP's next try after an outage. */
  readonly connection: number
  /** What a copy is expected to save, by what the engine knows and without its bounds: see `expectedGain`. */
  readonly gain: number
  /** The highest threshold at which the engine would copy: see `copiedUpTo`. */
  readonly engine: number
  readonly phi: number
  readonly gapMs: number
  readonly elapsedMs: number
  /** Elapsed over the p90 of the last durations, at least 1 s. */
  readonly p90: number
  /** Elapsed over the third finisher's time, from 10 s. */
  readonly storj: number
}

export interface Check {
  readonly atMs: number
  readonly sentBytes: number
  readonly scores: Scores
}

/** What everybody knew at one instant. */
export interface Seen {
  readonly atMs: number
  readonly scores: Scores
  /** What logistic regression goes by, and what our `risk` is combined from. */
  readonly features: readonly number[]
  readonly factors: readonly number[]
}

export interface ObservedSession {
  readonly session: SimulatedSession
  /** By index of `INSTANTS`; missing where the session had ended. */
  readonly instants: Seen[]
  /** At its launch and each 250 ms. */
  readonly checks: Check[]
}

export interface ObservedRun {
  readonly trace: string
  readonly run: number
  readonly stores: number
  readonly world: World
  readonly sessions: readonly ObservedSession[]
}

/** One upload through the model under test and all that is compared with it, fed as the engine feeds it. */
export function observeRun(
  o: WorldOptions & { readonly run: number; readonly instants?: readonly number[] },
): ObservedRun {
  const observer = new Observer(o.instants ?? INSTANTS)
  const world = new World(o, observer).run()
  return { trace: o.trace.name, run: o.run, stores: o.stores, world, sessions: [...observer.observed.values()] }
}

class Observer implements Client {
  readonly observed = new Map<SimulatedSession, ObservedSession>()
  readonly #instants: readonly number[]
  readonly #model = new RiskModel()
  readonly #durations = new RecentDurations()
  readonly #failuresMs = new Map<number, number>()
  readonly #acks: { atMs: number; bytes: number; session: string }[] = []

  constructor(instants: readonly number[]) {
    this.#instants = instants
  }

  launched(session: SimulatedSession, nowMs: number): void {
    const { id, store, bytes } = session
    this.#model.sessionStarted({ nowMs, session: id, store: `${store}`, rangeBytes: bytes, plannedMs: PLANNED_MS })
    this.observed.set(session, { session, instants: [], checks: [] })
    this.#check(session, nowMs)
  }

  acknowledged(session: SimulatedSession, bytes: number, nowMs: number): void {
    this.#acks.push({ atMs: nowMs, bytes, session: session.id })
    this.#model.acknowledged({ nowMs, session: session.id, bytes })
  }

  ended(session: SimulatedSession, nowMs: number): void {
    const outcome = session.end === 'completed' ? 'completed' : 'failed'
    if (outcome === 'completed') this.#durations.add(nowMs - session.startedMs)
    else this.#failuresMs.set(session.store, nowMs)
    this.#model.sessionEnded({ nowMs, session: session.id, outcome })
  }

  roundTrip(store: number, roundTripMs: number, nowMs: number): void {
    this.#model.requestRtt({ nowMs, store: `${store}`, roundTripMs })
  }

  heard(store: number, nowMs: number): void {
    this.#model.heard({ nowMs, store: `${store}` })
  }

  probeLost(store: number, nowMs: number): void {
    this.#model.probeLost({ nowMs, store: `${store}` })
  }

  ticked(nowMs: number, inFlight: readonly SimulatedSession[]): readonly number[] {
    this.#model.tick({ nowMs })
    while ((this.#acks[0]?.atMs ?? nowMs) < nowMs - 1_000) this.#acks.shift()
    for (const session of inFlight) this.#check(session, nowMs)
    return this.#model.wantsProbe({ nowMs }).map(Number)
  }

  #check(session: SimulatedSession, nowMs: number): void {
    const observed = this.observed.get(session)
    if (!observed) return
    const elapsedMs = nowMs - session.startedMs
    const scores = this.#scores(session, nowMs)
    const instant = this.#instants[observed.instants.length]
    if (instant !== undefined && elapsedMs >= instant * PLANNED_MS) {
      const remainingBytes = session.bytes - session.ackedBytes
      const factors = this.#model.factors({ nowMs, session: session.id, remainingBytes }) ?? []
      const features = this.#features(session, nowMs, scores.gapMs)
      observed.instants.push({ atMs: nowMs, scores, features, factors })
    }
    observed.checks.push({ atMs: nowMs, sentBytes: session.ackedBytes, scores })
  }

  #scores(session: SimulatedSession, nowMs: number): Scores {
    const remainingBytes = session.bytes - session.ackedBytes
    const found = this.#model.assess({ nowMs, session: session.id, remainingBytes })
    const elapsedMs = nowMs - session.startedMs
    const around = this.#around(found, remainingBytes)
    return {
      risk: found.risk,
      calibrated: found.calibrated.risk,
      link: found.link,
      server: 1 - (1 - found.server) * (1 - found.straggle),
      dead: found.server,
      connection: found.connection,
      gain: expectedGain({ ...found, ...around }),
      engine: copiedUpTo(found, around),
      phi: found.phi,
      gapMs: found.gapMs,
      elapsedMs,
      p90: elapsedMs / Math.max(1_000, this.#durations.p90() ?? PLANNED_MS),
      storj: elapsedMs < 10_000 ? 0 : elapsedMs / (this.#durations.thirdFinisher() ?? PLANNED_MS),
    }
  }

  #around(found: RiskAssessment, remainingBytes: number): Surroundings {
    const linkBytesPerSecond = this.#model.aggregateGoodput() ?? found.expectedRateBytesPerSecond
    const { pGood: pLinkGood } = this.#model.link()
    return { remainingBytes, linkBytesPerSecond, inFlight: this.observedInFlight(), pLinkGood }
  }

  #features(session: SimulatedSession, nowMs: number, gapMs: number): readonly number[] {
    const bytesOf = (which: (ack: { session: string }) => boolean) =>
      this.#acks.filter(which).reduce((sum, { bytes }) => sum + bytes, 0) / 1_000
    const inFlight = Math.max(1, this.observedInFlight())
    return progressFeatures({
      elapsedMs: nowMs - session.startedMs,
      share: session.ackedBytes / session.bytes,
      gapMs,
      ownRate: bytesOf((ack) => ack.session === session.id) / session.plannedBytesPerMs,
      fairRate: bytesOf(() => true) / inFlight / session.plannedBytesPerMs,
      sinceFailureMs: nowMs - (this.#failuresMs.get(session.store) ?? Number.NEGATIVE_INFINITY),
    })
  }

  observedInFlight(): number {
    let count = 0
    for (const { session } of this.observed.values()) if (session.end === undefined) count += 1
    return count
  }
}
