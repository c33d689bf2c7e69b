import type { PartitionHeader } from 'tus-reconcile-protocol'
import type { PlannedSession, SessionId } from '../../partitioning/partition-plan.js'
import type { NextStep, SessionEnd } from '../failure-rules.js'
import { decideNextStep, failureOf } from '../failure-rules.js'
import type { AttemptOutcome } from '../ports.js'
import type { Route, Store } from '../servers/server-directory.js'
import { pause } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { hearLoad, nameSession } from '../transfer-context.js'
import { LookTimer } from '../waiting/look-timer.js'
import { OwnDelay } from './own-delay.js'
import { takeBody } from './request-body.js'
import { SessionBodies } from './session-bodies.js'

/** Runs one session: one attempt after another, over whichever route its store has, until its end or its stop. */
export class SessionRunner {
  readonly id: SessionId
  readonly store: Store
  /**
   * Of the latest body, how far it was handed to the socket, absolute offset: ahead of what is acknowledged, but told late. A
   * server may have more.
   */
  handedOver: number
  freshTries = 0
  /** By which route the latest attempt went. */
  route: Route
  reconnectedAtMs: number = Number.NEGATIVE_INFINITY
  readonly beganAtMs: number
  /** What the model took it to need for all that it was begun with; undefined while nothing was known. */
  planned: { readonly ms: number; readonly end: number } | undefined
  /** When it was begun or last acknowledged. */
  aliveAtMs: number
  /** Its store has refused its last attempt for load, and until when it wants to be left alone, if it says so. */
  putOff: { readonly untilMs: number | undefined } | undefined
  /** What the source and the application's hooks take of this session's time. */
  readonly ownDelay: OwnDelay = new OwnDelay()
  readonly #context: TransferContext
  readonly #partition: string
  readonly #stop = new AbortController()
  #attempt = 0
  #current: AbortController | undefined
  #url: string | undefined
  #fruitless = 0
  readonly #bodies: SessionBodies

  constructor(context: TransferContext, session: PlannedSession, store: Store) {
    this.#context = context
    this.id = session.session
    this.#partition = session.partition
    this.store = store
    this.handedOver = session.start
    this.route = store.route
    this.beganAtMs = context.clock.now()
    this.aliveAtMs = this.beganAtMs
    this.#bodies = new SessionBodies(context, store)
  }

  /** Ends the run for good; the session's bytes stay where they are. */
  stop(): void {
    this.#stop.abort()
    this.#current?.abort()
  }

  /** Some of its bytes were acknowledged while their request goes on. */
  noteHeard(): void {
    this.#bodies.noteHeard()
  }

  /** Ends the attempt in flight if its body goes on past `end`, which was lowered meanwhile. */
  stopBodyAt(end: number): void {
    if (this.#bodies.end > end) this.#current?.abort()
  }

  /** Whether the request in flight carries nothing but the session's bytes, and will end by itself. */
  endsBy(end: number): boolean {
    return this.#bodies.end <= end
  }

  /** Ends the attempt in flight: the next one uses a new connection, or the store's new route. */
  reconnect(): void {
    this.#current?.abort()
  }

  async run(): Promise<SessionEnd> {
    try {
      return await this.#run()
    } finally {
      this.#bodies.leave()
    }
  }

  async #run(): Promise<SessionEnd> {
    const { clock, rests, log } = this.#context
    let look = false
    while (!this.#stop.signal.aborted) {
      const session = this.#context.plan.session(this.id)
      if (!session) return { kind: 'stopped' }
      if (session.acked >= session.end) return { kind: 'sent' }
      const outcome = await this.#try(session, look)
      if (this.#stop.signal.aborted) break
      const step = this.#judge(session, outcome, look)
      if (step.kind === 'end') return step.end
      look = step.kind === 'look' || (step.kind === 'wait' && step.next === 'look')
      if (step.kind === 'wait') {
        const { cause, delayMs } = step
        log.emit({ type: 'waiting', ...nameSession(this.#context, session), cause, delayMs: Math.round(delayMs) })
        // a server that has answered asks for its time
        await (outcome.kind === 'cut'
          ? rests.take(delayMs, this.#stop.signal)
          : pause(clock, delayMs, this.#stop.signal))
      }
      if (step.kind === 'shrink' && !this.#bodies.shrink(session, this.route.endpoint, step.limit.maxAppendSize)) {
        return {
          kind: 'failed',
          cause: `413: not even ${this.#bodies.mostBytes} bytes at once`,
          code: 'refused',
          failure: 'configuration',
          status: 413,
        }
      }
    }
    return { kind: 'stopped' }
  }

  /** One request: the next bytes, or none when only the offset is asked for (a POST repeated without a body). */
  async #try(session: PlannedSession, look: boolean): Promise<AttemptOutcome> {
    const { clock, model } = this.#context
    const current = new AbortController()
    this.#current = current
    const { rtoMs } = model.store(this.store.id)
    const timer = look ? new LookTimer({ clock, rtoMs, onLate: () => current.abort() }) : undefined
    this.ownDelay.begin(clock.now())
    try {
      const outcome = await this.#send(session, { signal: current.signal, timer })
      if (!timer?.isLate) return outcome
      return { kind: 'cut', failure: 'timeout', cause: new Error('the server did not say what it has') }
    } finally {
      this.ownDelay.end(clock.now())
      timer?.stop()
      this.#current = undefined
    }
  }

  /** @param timer a look-up's, which carries no bytes */
  async #send(
    session: PlannedSession,
    { signal, timer }: { signal: AbortSignal; timer: LookTimer | undefined },
  ): Promise<AttemptOutcome> {
    const { clock, options, source } = this.#context
    const range = timer ? { start: session.acked, end: session.acked } : this.#bodies.take(session)
    await clock.breathe()
    if (!timer) await options.rateCap?.admit(range.end - range.start, { clock, signal })
    const body = timer ? undefined : await takeBody(source, range, signal)
    if (signal.aborted) return { kind: 'aborted' }
    this.#attempt += 1
    this.#bodies.begin(range)
    // what another body had handed over is not there
    this.handedOver = range.start
    this.route = this.store.route
    return this.route.port.attempt({
      ...{ partition: this.#header(session), metadata: options.metadata, range, body, signal },
      url: timer ? undefined : this.#url,
      onHandedOver: (handedOver) => {
        this.handedOver = Math.max(this.handedOver, range.start + handedOver)
      },
      onLoad: hearLoad(this.#context, this.store.id, this.id),
      onSending: () => {
        this.ownDelay.end(clock.now())
        timer?.start()
      },
      onHeldBack: () => {
        this.ownDelay.begin(clock.now())
        timer?.stop()
      },
    })
  }

  #header(session: PlannedSession): PartitionHeader {
    const { group, client, place, plan } = this.#context
    return {
      group,
      partition: this.#partition,
      session: this.id,
      attempt: this.#attempt,
      client,
      start: session.start,
      end: session.end,
      size: plan.sizeBytes,
      home: place.home,
      ...(place.isMovable ? { any: true } : {}),
    }
  }

  #judge(session: PlannedSession, outcome: AttemptOutcome, look: boolean): NextStep {
    const { plan, randomness } = this.#context
    const heardTo = plan.session(this.id)?.acked ?? session.acked
    if (outcome.kind === 'accepted' || outcome.kind === 'mismatch') {
      if (outcome.offset !== undefined && outcome.offset < session.acked)
        return endForgetful(session.acked - outcome.offset)
      if (outcome.url !== undefined) this.#url = outcome.url
      if (outcome.offset !== undefined) this.#context.acknowledge(this.id, outcome.offset)
      if (outcome.kind === 'mismatch' && outcome.reachedEnd && outcome.offset !== undefined)
        plan.lowerEnd(this.id, outcome.offset)
    }
    const progressed = (plan.session(this.id)?.acked ?? 0) > session.acked
    if (progressed) this.#fruitless = 0
    const { endpoint } = this.route
    this.#bodies.note(session, { outcome, look, progressed, endpoint, handedOver: this.handedOver, heardTo })
    // a body that was accepted and moved nothing is as good as none
    const isHollow = outcome.kind === 'accepted' && !progressed && !look
    const hollow: AttemptOutcome = {
      kind: 'cut',
      failure: 'serverError',
      cause: new Error('the server took no byte'),
    }
    const judged: AttemptOutcome = isHollow ? hollow : outcome
    const step = decideNextStep(judged, {
      fruitless: this.#fruitless,
      hasAlternative: this.#context.hasAlternative(this.store.id),
      uniform: randomness.uniform(),
    })
    if (!progressed && judged.kind !== 'aborted' && judged.kind !== 'accepted') this.#fruitless += 1
    this.#noteRefusal(outcome)
    if (outcome.kind === 'denied' && outcome.isRenewed) this.#noteRenewal(outcome.status)
    if (outcome.kind === 'cut') this.#context.noteCut(session, outcome.cause.message, this.#attempt)
    return step
  }

  #noteRenewal(status: number): void {
    const { endpoint } = this.route
    const message = `${endpoint} refused the credentials (${status}): going on with those that headers gives now`
    this.#context.log.emit({ type: 'warning', code: 'credentials-refused', message, endpoint })
  }

  #noteRefusal(outcome: AttemptOutcome): void {
    if (outcome.kind === 'aborted') return
    this.putOff = undefined
    if (outcome.kind !== 'wait' || failureOf(outcome) !== 'load') return
    const nowMs = this.#context.clock.now()
    const { retryAfterMs } = outcome
    this.putOff = { untilMs: retryAfterMs === undefined ? undefined : nowMs + retryAfterMs }
    this.#context.model.busy({ nowMs, store: this.store.id, session: this.id, retryAfterMs })
  }
}

/** Nothing brings back what a store has forgotten: its session ends, and what it lacks is sent again by another. */
function endForgetful(bytes: number): NextStep {
  const cause = `the server lacks ${bytes} bytes that it had acknowledged`
  return { kind: 'end', end: { kind: 'failed', cause, code: 'network', failure: 'serverError' } }
}
