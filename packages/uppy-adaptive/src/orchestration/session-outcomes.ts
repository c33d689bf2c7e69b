import type { ByteRange } from 'tus-reconcile-protocol'
import { addRanges, blockFloor, coversRange, toRangeSet } from 'tus-reconcile-protocol'
import type { FailureKind } from 'upload-predictor'
import type { PlannedSession, SessionId, StoreId } from '../partitioning/partition-plan.js'
import type { Claims } from './claims.js'
import type { SessionEnd } from './failure-rules.js'
import { knownOf } from './known.js'
import type { Ending } from './session-ending.js'
import { tellEnding } from './session-ending.js'
import type { SessionRunner } from './session-runner.js'
import type { Reasons } from './session-starter.js'
import type { Terminations } from './terminations.js'
import type { TransferContext } from './transfer-context.js'
import { nameSession } from './transfer-context.js'
import { toError, UploadError } from './upload-error.js'

/** An answer that is later than this after the bytes were verified is not waited for. */
const ANSWER_PATIENCE_MS = 2_000
/** So many sessions ended by servers, without one completing between, are no accident. */
const MAX_ENDED_BY_SERVER = 5

/** What a server says of a session that it had acknowledged and does not know any more; other ends are somebody's will. */
const FORGOTTEN: readonly string[] = ['gone', 'expired']

/** Follows running sessions to their one outcome: completed, superseded, taken over or failed; here and on their servers. */
export class SessionOutcomes {
  readonly #context: TransferContext
  readonly #claims: Claims
  readonly #terminations: Terminations
  readonly #tookOver: ByteRange[] = []
  readonly #running = new Map<SessionRunner, Promise<void>>()
  #endedByServer = 0

  constructor(context: TransferContext, parts: { claims: Claims; terminations: Terminations }) {
    this.#context = context
    this.#claims = parts.claims
    this.#terminations = parts.terminations
  }

  /** Whether these bytes were another session's that failed or was in doubt. */
  wasTakenOver(range: ByteRange): boolean {
    return coversRange(toRangeSet(this.#tookOver), range)
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
    this.#tookOver.push(range)
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
    const by = o.by ?? this.#winnerOver(session)
    log.emit({ type: 'superseded', ...nameSession(this.#context, session), via: o.via, by })
    this.#settleCopy(session, false)
    this.#close(id, { outcome: 'superseded' })
    if (o.via === 'client') this.#terminations.drop({ session: id, store: session.store, reason: 'superseded' })
  }

  /** Ends the sessions whose ranges are verified, and with each the others of its partition. */
  completeVerified(): void {
    const { plan, statuses, leaves } = this.#context
    for (const { session: id } of plan.sessions()) {
      const session = plan.session(id)
      if (!session || plan.missingOf(session) > 0) continue
      this.#creditWinner(session)
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

  /** Who has sent these bytes as well: the partition's completed upload, or who has acknowledged most of them. Null: nobody of ours. */
  #winnerOver({ session, partition, start, end }: PlannedSession): SessionId | null {
    const { plan, statuses } = this.#context
    const completed = statuses.uploads.find(
      (upload) => upload.partitionID === partition && upload.status === 'completed',
    )
    const sent = (rival: PlannedSession) => Math.min(rival.acked, end) - Math.max(rival.start, start)
    const [best] = plan
      .sessions()
      .filter((rival) => rival.session !== session && sent(rival) > 0)
      .sort((a, b) => sent(b) - sent(a))
    return completed?.uploadID ?? best?.session ?? null
  }

  /**
   * The blocks are verified, and no session of the partition is known to have sent them all: the news of an offset is
   * still on its way. It is the offset of the session that was alive last.
   */
  #creditWinner(session: PlannedSession): void {
    const { plan, runners } = this.#context
    const rivals = plan.sessions().filter((other) => other.partition === session.partition)
    if (rivals.some((rival) => rival.acked >= rival.end)) return
    const alive = rivals.filter((rival) => plan.isCovered(rival))
    const winner = alive.sort(
      (a, b) => (runners.get(b.session)?.aliveAtMs ?? 0) - (runners.get(a.session)?.aliveAtMs ?? 0),
    )[0]
    if (winner) this.#context.acknowledge(winner.session, winner.end)
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
    this.#endedByServer = 0
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
        if (end.state === 'superseded') return this.supersede(session.session, { via: 'server' })
        return this.#loseEnded(session, end.state)
      case 'failed':
        if (end.code === 'network') this.#context.directory.suspect(session.store, end.cause, this.#context.clock.now())
        else this.#exclude(session, end)
        return this.#lose(session, end)
    }
  }

  /** A session that its server ended by itself: once may be another page's doing, again and again is the group's end. */
  #loseEnded(session: PlannedSession, state: string): void {
    const { directory, clock, plan, place } = this.#context
    if (state === 'committed') plan.verify([{ start: 0, end: plan.sizeBytes }])
    else if (++this.#endedByServer > MAX_ENDED_BY_SERVER) {
      const message = `the servers end every session of this upload (${state}): start it again`
      this.#context.fail(new UploadError('gone', message))
    }
    if (session.store !== place.store || state !== 'committed') {
      directory.suspect(session.store, `it says that a session is ${state}`, clock.now())
    }
    this.#lose(session, {
      cause: `the server says that it is ${state}`,
      ...(FORGOTTEN.includes(state) && { failure: 'serverError' }),
    })
  }

  #exclude(session: PlannedSession, end: Extract<SessionEnd, { kind: 'failed' }>): void {
    const { directory, place } = this.#context
    const endpoint = directory.get(session.store)?.route.endpoint ?? session.store
    const full = end.code === 'full'
    if (session.store !== place.store) {
      directory.exclude(
        session.store,
        full ? 'server-full' : 'mirror-refused',
        `${endpoint} answered ${end.cause}: going on without it`,
      )
      return
    }
    const status = end.status === undefined ? {} : { status: end.status }
    this.#context.fail(
      full
        ? new UploadError(
            'server-full',
            `${endpoint} has no room for this file (507): free space there and upload it again`,
            status,
          )
        : new UploadError(
            end.status === 413 ? 'too-large' : 'refused',
            `${endpoint} refused the upload (${end.cause})`,
            status,
          ),
    )
  }

  /** Without `failure` it says nothing of the server. */
  #lose(session: PlannedSession, { cause, failure }: { cause: string; failure?: FailureKind }): void {
    const { log, statuses } = this.#context
    log.emit({ type: 'failed', ...nameSession(this.#context, session), cause })
    statuses.setStatus(session.session, 'failed')
    this.#settleCopy(session, false)
    this.#tookOver.push({ start: blockFloor(session.acked), end: session.end })
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
