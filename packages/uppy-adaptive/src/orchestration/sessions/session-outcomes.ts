import type { ByteRange } from 'tus-reconcile-protocol'
import { addRanges, blockFloor } from 'tus-reconcile-protocol'
import type { FailureKind } from 'upload-predictor'
import type { PlannedSession, SessionId, StoreId } from '../../partitioning/partition-plan.js'
import { RangeIndex } from '../../partitioning/range-index.js'
import type { Claims } from '../blocks/claims.js'
import type { SessionEnd } from '../failure-rules.js'
import { knownOf } from '../log/known.js'
import { StoreVerdicts } from '../servers/store-verdicts.js'
import type { TransferContext } from '../transfer-context.js'
import { nameSession } from '../transfer-context.js'
import { toError } from '../upload-error.js'
import { creditWinner, findWinnerOver } from './partition-winner.js'
import type { Ending } from './session-ending.js'
import { tellEnding } from './session-ending.js'
import type { SessionRunner } from './session-runner.js'
import type { Reasons } from './session-starter.js'
import type { Terminations } from './terminations.js'

/** An answer that is later than this after the bytes were verified is not waited for. */
const ANSWER_PATIENCE_MS = 2_000
/** What a server says of a session that it had acknowledged and does not know any more; other ends are somebody's will. */
const FORGOTTEN: readonly string[] = ['gone', 'expired']

/** Follows running sessions to their one outcome: completed, superseded, taken over or failed; here and on their servers. */
export class SessionOutcomes {
  readonly #context: TransferContext
  readonly #claims: Claims
  readonly #terminations: Terminations
  readonly #verdicts: StoreVerdicts
  readonly #tookOver = new RangeIndex()
  readonly #running = new Map<SessionRunner, Promise<void>>()
  /** Stores that are asked for what made them end a session. */
  readonly #asked = new Set<StoreId>()
  readonly #askForNews: (store: StoreId) => Promise<void>

  /** @param parts.askForNews takes into the plan what the store knows to be verified */
  constructor(
    context: TransferContext,
    parts: { claims: Claims; terminations: Terminations; askForNews: (store: StoreId) => Promise<void> },
  ) {
    this.#context = context
    this.#askForNews = parts.askForNews
    this.#claims = parts.claims
    this.#terminations = parts.terminations
    this.#verdicts = new StoreVerdicts(context)
  }

  /** Whether these bytes were another session's that failed or was in doubt. */
  wasTakenOver(range: ByteRange): boolean {
    return this.#tookOver.covers(range)
  }

  /** It has yet to say why it ended a session: another one would end as that did. */
  isAsked(store: StoreId): boolean {
    return this.#asked.has(store)
  }

  /** Runs the session to its end, whatever that is, and tells the plan. */
  follow(runner: SessionRunner): void {
    const running = runner
      .run()
      .then((end) => this.#ended(runner, end))
      .catch((error: unknown) => this.#context.fail(toError(error)))
      .finally(() => {
        this.#running.delete(runner)
        this.#context.wake()
      })
    this.#running.set(runner, running)
  }

  /** Ends a session in doubt; its unacknowledged rest is taken over by whichever store takes it next. */
  takeOver(victim: PlannedSession, o: Reasons): void {
    const { log } = this.#context
    const range = { start: blockFloor(victim.acked), end: victim.end }
    const known = knownOf(o.assessment, o.alternatives ?? [])
    log.emit({ type: 'takeOver', ...nameSession(this.#context, victim), range, reason: o.reason, ...known })
    this.#tookOver.add(range)
    this.#settleCopy(victim, false)
    this.#close(victim.session, { outcome: 'takenOver' })
    this.#context.statuses.setStatus(victim.session, 'failed')
    this.#terminations.drop({ session: victim.session, store: victim.store, reason: 'taken over' })
  }

  /** Another copy has won: nothing of this session is needed any more. */
  supersede(id: SessionId, o: { via: 'client' | 'server'; by?: SessionId }): void {
    const { plan, log, statuses } = this.#context
    const session = plan.session(id)
    if (!session) return
    statuses.setStatus(id, 'superseded')
    const by = o.by ?? findWinnerOver(this.#context, session)
    log.emit({ type: 'superseded', ...nameSession(this.#context, session), via: o.via, by })
    this.#settleCopy(session, false)
    this.#close(id, { outcome: 'superseded' })
    if (o.via === 'client') this.#terminations.drop({ session: id, store: session.store, reason: 'superseded' })
  }

  /** Its store has ended it for a copy of which we may have heard nothing yet: then it says what is verified before it gets more. */
  supersededThere(session: PlannedSession): void {
    const isKnown = this.#context.plan.missingOf(session) === 0
    this.supersede(session.session, { via: 'server' })
    if (!isKnown && !this.#asked.has(session.store)) void this.#askWhy(session)
  }

  /** Ends the sessions whose ranges are verified, and with each the others of its partition. */
  completeVerified(): void {
    const { plan, statuses, leaves } = this.#context
    for (const { session: id } of plan.sessions()) {
      const session = plan.session(id)
      if (!session || plan.missingOf(session) > 0) continue
      creditWinner(this.#context, session)
      const credited = plan.session(id)
      if (!credited) continue
      // what it has not sent yet is verified elsewhere; what it has sent stays on its store
      if (credited.acked < credited.end) this.supersede(id, { via: 'client' })
      else if (plan.isCovered(credited)) {
        this.#complete(credited)
        statuses.markCompleted(id, leaves.known(credited).at(-1) ?? '')
      }
    }
  }

  /** The store acknowledged the session's bytes and does not hold them: they were another's to write. */
  giveUpDiscarded(session: PlannedSession): void {
    this.#lose(session, { cause: 'its server took its bytes and does not hold them' })
  }

  /** The store is left out: none of its sessions goes on. */
  giveUpStore(store: StoreId): void {
    for (const session of this.#context.plan.sessions()) {
      if (session.store === store) this.#lose(session, { cause: 'its server is left out', failure: 'serverError' })
    }
  }

  /** Bytes that were sent to a store that does not answer any more: nobody's again. */
  giveUpSent(store: StoreId): void {
    for (const session of this.#context.plan.sessions()) {
      if (session.store === store && session.acked >= session.end)
        this.#lose(session, { cause: 'its server does not answer', failure: 'timeout' })
    }
  }

  /** Stops every session; what their stores hold stays, and nothing is learned of them. Settles when all requests have ended. */
  async stopAll(): Promise<void> {
    for (const runner of this.#running.keys()) runner.stop()
    await Promise.all(this.#running.values())
    for (const session of this.#context.plan.sessions()) tellEnding(this.#context, session, { outcome: 'cancelled' })
  }

  #complete(session: PlannedSession): void {
    const { log } = this.#context
    const { start, end, kind } = session
    log.emit({ type: 'completed', ...nameSession(this.#context, session), start, end, kind })
    if (session.store === this.#context.place.store)
      this.#context.atHome = addRanges(this.#context.atHome, { start, end })
    this.#settleCopy(session, true)
    this.#verdicts.noteCompleted()
    this.#close(session.session, { outcome: 'completed' })
  }

  #settleCopy(session: PlannedSession, won: boolean): void {
    if (session.kind !== 'copy' && won) this.#context.budget.succeeded()
    if (session.kind === 'copy') this.#context.budget.settle({ won, unsentBytes: session.end - session.acked })
  }

  #ended(runner: SessionRunner, end: SessionEnd): void {
    const session = this.#context.plan.session(runner.id)
    if (!session || end.kind === 'stopped') return
    switch (end.kind) {
      case 'sent':
        // it stays planned until its blocks are verified, so that nobody sends them again meanwhile
        return this.#claims.hurry(session.store)
      case 'over':
        if (end.state === 'superseded') return this.supersededThere(session)
        return this.#loseEnded(session, end.state)
      case 'failed':
        this.#verdicts.noteFailed(session, end)
        return this.#lose(session, end)
    }
  }

  async #askWhy({ store, acked, end }: PlannedSession): Promise<void> {
    const { plan, directory, clock } = this.#context
    this.#asked.add(store)
    await this.#askForNews(store)
    this.#asked.delete(store)
    if (!plan.isCovered({ start: acked, end }))
      directory.suspect(store, 'ended a session for a copy that nobody knows of', clock.now())
    this.#context.wake()
  }

  #loseEnded(session: PlannedSession, state: string): void {
    const { plan } = this.#context
    const isLeftOut = this.#verdicts.noteEnded(session, state)
    this.#lose(session, {
      cause: `the server says that it is ${state}`,
      ...(FORGOTTEN.includes(state) && { failure: 'serverError' }),
    })
    if (!isLeftOut) return
    this.giveUpStore(session.store)
    plan.forget(session.store)
    this.#claims.forgetStore(session.store)
  }

  /** Without `failure` it says nothing of the server. */
  #lose(session: PlannedSession, { cause, failure }: { cause: string; failure?: FailureKind }): void {
    const { log, statuses } = this.#context
    log.emit({ type: 'failed', ...nameSession(this.#context, session), cause })
    statuses.setStatus(session.session, 'failed')
    this.#settleCopy(session, false)
    this.#tookOver.add({ start: blockFloor(session.acked), end: session.end })
    this.#close(session.session, failure === undefined ? { outcome: 'cancelled' } : { outcome: 'failed', failure })
    this.#terminations.drop({ session: session.session, store: session.store, reason: 'failed' })
  }

  #close(id: SessionId, ending: Ending): void {
    const { plan, runners } = this.#context
    const session = plan.session(id)
    if (!session) return
    tellEnding(this.#context, session, ending)
    const ended = plan.end(id)
    if (ended) this.#claims.end(id, ended.acked === plan.sizeBytes ? ended.acked : blockFloor(ended.acked))
    const runner = runners.get(id)
    runners.delete(id)
    if (runner) this.#release(runner, session.end, ending.outcome)
    this.#claims.hurry(session.store)
    this.#context.wake()
  }

  /** A completed session's answer is on its way: waiting for it keeps the connection for the next one. */
  #release(runner: SessionRunner, end: number, outcome: string): void {
    const running = this.#running.get(runner)
    if (!running || outcome !== 'completed' || !runner.endsBy(end)) return runner.stop()
    const cancel = this.#context.clock.after(ANSWER_PATIENCE_MS, () => runner.stop())
    void running.finally(cancel)
  }
}
