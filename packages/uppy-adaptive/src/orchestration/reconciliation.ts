import type { ClaimAnswer, RangeSet, ServerEvent } from 'tus-reconcile-protocol'
import { addRanges } from 'tus-reconcile-protocol'
import type { StoreId } from '../partitioning/partition-plan.js'
import type { Operations } from './operations.js'
import type { SessionOutcomes } from './session-outcomes.js'
import type { TransferContext } from './transfer-context.js'
import { UploadError } from './upload-error.js'

/** The same block found bad this often is no accident of the path. */
const MAX_BAD = 3

/** Takes what servers say of blocks and sessions, from whichever answer or event it comes first, into the plan. */
export class Reconciliation {
  readonly #context: TransferContext
  readonly #outcomes: SessionOutcomes
  readonly #badCounts = new Map<number, number>()

  constructor(context: TransferContext, outcomes: SessionOutcomes) {
    this.#context = context
    this.#outcomes = outcomes
  }

  onClaimAnswer(store: StoreId, answer: ClaimAnswer): void {
    const [conflict] = answer.conflict
    if (conflict) {
      const message = `the file changed while it was uploaded (at byte ${conflict.start}): choose it again`
      return this.#context.fail(new UploadError('source-changed', message))
    }
    this.verify(answer.verified, 'claim')
    this.#discard(answer.bad, store)
    for (const session of answer.superseded) this.#outcomes.supersede(session, { via: 'server', by: null })
    this.#outcomes.completeVerified()
  }

  onEvent(store: StoreId, event: ServerEvent): void {
    const { group, plan } = this.#context
    if ('group' in event && event.group !== group) return
    if (event.type === 'offset') {
      const session = plan.session(event.session)
      if (session) this.#context.acknowledge(event.session, session.start + event.offset)
    } else if (event.type === 'verified') this.verify(event.ranges, 'event')
    else if (event.type === 'pulled' && store === this.#context.homeId) this.#noteAtHome(event.ranges)
    else if (event.type === 'bad') this.#discard(event.ranges, store)
    else if (event.type === 'superseded') this.#outcomes.supersede(event.session, { via: 'server', by: null })
  }

  /** Everything is sent and yet not verified: an event was lost, so ask. */
  async ask(operations: Operations): Promise<void> {
    for (const store of this.#context.directory.stores()) {
      try {
        const status = await operations.ask(store.id, { op: 'status' }, this.#context.signal)
        this.verify(status.verified, 'status')
        this.#discard(status.bad, store.id)
      } catch {
        // asked again when patience ends the next time
      }
    }
  }

  /** The home lacks these blocks, whoever said that they were there. */
  resend(ranges: RangeSet, reason: string): void {
    this.#context.log.emit({ type: 'resent', ranges, reason })
    this.#context.plan.discard(ranges)
    this.#context.onlyHome = addRanges(this.#context.onlyHome, ...ranges)
    this.#context.wake()
  }

  verify(ranges: RangeSet, via: 'claim' | 'event' | 'status'): void {
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

  #discard(ranges: RangeSet, store: StoreId): void {
    if (ranges.length === 0) return
    const { log, plan, leaves } = this.#context
    log.emit({ type: 'bad', ranges, store })
    plan.discard(ranges)
    for (const range of ranges) {
      // the leaf may be what is wrong: the file is read twice, for the digest and for the body
      leaves.forget(range)
      const count = (this.#badCounts.get(range.start) ?? 0) + 1
      this.#badCounts.set(range.start, count)
      if (count >= MAX_BAD) {
        const message = `bytes from ${range.start} on arrive with another digest each time: the file is being changed; choose it again`
        return this.#context.fail(new UploadError('source-changed', message))
      }
    }
    this.#context.wake()
  }
}
