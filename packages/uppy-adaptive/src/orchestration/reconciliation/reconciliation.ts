import type { ByteRange, ClaimAnswer, RangeSet, ServerEvent, StatusAnswer } from 'tus-reconcile-protocol'
import { addRanges, coversRange, subtractRanges, toRangeSet } from 'tus-reconcile-protocol'
import type { SessionId, StoreId } from '../../partitioning/partition-plan.js'
import type { OperationError } from '../ports.js'
import type { Operations } from '../servers/operations.js'
import type { SessionOutcomes } from '../sessions/session-outcomes.js'
import type { Terminations } from '../sessions/terminations.js'
import type { TransferContext } from '../transfer-context.js'
import { UploadError } from '../upload-error.js'

/** The same block of one store found bad, or acknowledged and not kept, this often is no accident of the path. */
const MAX_BAD = 3

/** Takes what servers say of blocks and sessions, from whichever answer or event it comes first, into the plan. */
export class Reconciliation {
  readonly #context: TransferContext
  readonly #outcomes: SessionOutcomes
  readonly #badCounts = new Map<string, number>()
  readonly #lostCounts = new Map<string, number>()

  constructor(context: TransferContext, outcomes: SessionOutcomes) {
    this.#context = context
    this.#outcomes = outcomes
  }

  onClaimAnswer(store: StoreId, answer: ClaimAnswer): void {
    const [conflict] = answer.conflict
    if (conflict) return this.#onConflict(store, conflict)
    this.verify(answer.verified, 'claim')
    this.#discard(answer.bad, store)
    for (const session of answer.superseded) this.#supersede(session, store)
    this.#outcomes.completeVerified()
  }

  /** Without digests nothing of a store is ever verified: a mirror is left out, and the home's refusal is the upload's. */
  onClaimRefused(store: StoreId, { status, message }: OperationError): void {
    if (store !== this.#context.place.store) return this.#leaveOut(store, `refuses digests (${status}: ${message})`)
    const endpoint = this.#context.directory.get(store)?.route.endpoint ?? store
    this.#context.fail(new UploadError('refused', `${endpoint} refused the upload (${status}: ${message})`, { status }))
  }

  /** A store's word counts for its own sessions only. */
  onEvent(store: StoreId, event: ServerEvent): void {
    const { group, plan, place } = this.#context
    if ('group' in event && event.group !== group) return
    if (event.type === 'offset') {
      const session = plan.session(event.session)
      if (session?.store === store) this.#context.acknowledge(event.session, session.start + event.offset)
    } else if (event.type === 'verified') this.verify(event.ranges, 'event')
    else if (event.type === 'pulled' && store === place.store) this.#noteAtHome(event.ranges)
    else if (event.type === 'bad') this.#discard(event.ranges, store)
    else if (event.type === 'superseded') this.#supersede(event.session, store)
    else if (event.type === 'terminated' && store === place.store) {
      this.#context.fail(new UploadError('gone', 'the upload was terminated on its server: start it again'))
    }
  }

  /** What an event would have said of the store's blocks. */
  async askForNews(operations: Operations, store: StoreId): Promise<void> {
    try {
      const status = await operations.ask(store, { op: 'status' }, this.#context.signal)
      this.verify(status.verified, 'status')
      this.#discard(status.bad, store)
    } catch {
      // asked again soon
    }
  }

  /** Everything is sent and yet not verified: an event was lost, or bytes were another session's to write. Ask. */
  async ask(operations: Operations, terminations: Terminations): Promise<void> {
    for (const store of this.#context.directory.stores()) {
      try {
        const status = await operations.ask(store.id, { op: 'status' }, this.#context.signal)
        this.verify(status.verified, 'status')
        this.#discard(status.bad, store.id)
        this.#findDiscarded(store.id, status, terminations)
      } catch {
        // asked again when patience ends the next time
      }
    }
  }

  /** Acknowledged and not there: another session, perhaps of another page, owns the blocks. It is ended, ours sent again. */
  #findDiscarded(store: StoreId, status: StatusAnswer, terminations: Terminations): void {
    const { plan } = this.#context
    const there = toRangeSet([...status.stored, ...status.verified])
    for (const session of plan.sessions()) {
      if (session.store !== store || session.acked < session.end || coversRange(there, session)) continue
      for (const other of status.sessions) {
        const overlaps = other.start < session.end && other.start + other.offset > session.start
        if (other.state === 'inProgress' && other.session !== session.session && overlaps) {
          terminations.drop({ session: other.session, store, reason: 'owns blocks that it does not finish' })
        }
      }
      this.#outcomes.giveUpDiscarded(session)
      this.#countLost(store, session)
    }
    const lost = subtractRanges(plan.heldUnverified(store), there)
    if (lost.length > 0) plan.discard(lost)
  }

  /** The home lacks these blocks, whoever said that they were there. */
  resend(ranges: RangeSet, reason: string): void {
    this.#context.log.emit({ type: 'resent', ranges, reason })
    this.#context.plan.discard(ranges)
    this.#context.onlyHome = addRanges(this.#context.onlyHome, ...ranges)
    this.#context.wake()
  }

  verify(ranges: RangeSet, via: 'claim' | 'event' | 'status' | 'have'): void {
    const fresh = this.#context.plan.verify(ranges)
    if (fresh.length === 0) return
    this.#context.noteProgress()
    this.#context.log.emit({ type: 'verified', ranges: fresh, via })
    this.#context.wake()
  }

  #noteAtHome(ranges: RangeSet): void {
    this.#context.atHome = addRanges(this.#context.atHome, ...ranges)
    this.#context.wake()
  }

  #supersede(id: SessionId, store: StoreId): void {
    const session = this.#context.plan.session(id)
    if (session?.store === store) this.#outcomes.supersededThere(session)
  }

  /** The home's word is final; a mirror that contradicts is left out. */
  #onConflict(store: StoreId, at: ByteRange): void {
    if (store === this.#context.place.store) {
      const message = `the file changed while it was uploaded (at byte ${at.start}): choose it again`
      return this.#context.fail(new UploadError('source-changed', message))
    }
    this.#leaveOut(store, `has another digest for the block at ${at.start}`)
  }

  /** What a claim's answer says the event says again: only blocks that were thought to be there count, not one that comes anew. */
  #discard(ranges: RangeSet, store: StoreId): void {
    const { log, plan, leaves } = this.#context
    const bad = plan.acknowledgedBlocks(ranges)
    if (bad.length === 0) return
    log.emit({ type: 'bad', ranges: bad, store })
    plan.discard(bad)
    // the leaf may be what is wrong: the file is read twice, for the digest and for the body
    for (const range of bad) {
      leaves.forget(range)
      this.#countBad(store, range)
    }
    this.#context.wake()
  }

  #countBad(store: StoreId, range: ByteRange): void {
    if (!isOften(this.#badCounts, store, range)) return
    if (store !== this.#context.place.store)
      return this.#leaveOut(store, `gets the block at ${range.start} wrong each time`)
    const message = `bytes from ${range.start} on arrive with another digest each time: the file is being changed; choose it again`
    this.#context.fail(new UploadError('source-changed', message))
  }

  /** A store that acknowledges the same bytes again and again and keeps none would have them sent for ever. */
  #countLost(store: StoreId, range: ByteRange): void {
    if (!isOften(this.#lostCounts, store, range)) return
    const why = `acknowledges bytes from ${range.start} on and does not keep them`
    if (store !== this.#context.place.store) return this.#leaveOut(store, why)
    const endpoint = this.#context.directory.get(store)?.route.endpoint ?? store
    this.#context.fail(new UploadError('gave-up', `${endpoint} ${why}: its storage or what is before it is at fault`))
  }

  #leaveOut(store: StoreId, why: string): void {
    const { directory, plan } = this.#context
    const endpoint = directory.get(store)?.route.endpoint ?? store
    directory.exclude(store, 'mirror-unusable', `${endpoint} ${why}: going on without it`)
    this.#outcomes.giveUpStore(store)
    plan.forget(store)
    this.#context.wake()
  }
}

/** Counts what happened to the store's bytes there; whether it has happened too often. */
function isOften(counts: Map<string, number>, store: StoreId, { start }: ByteRange): boolean {
  const key = `${store} ${start}`
  const count = (counts.get(key) ?? 0) + 1
  counts.set(key, count)
  return count >= MAX_BAD
}
