import type { CommitAnswer } from 'tus-reconcile-protocol'
import { EMPTY_RANGES } from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import { backoffMs } from '../failure-rules.js'
import { OperationError } from '../ports.js'
import type { TransferContext } from '../transfer-context.js'

/** A question and the pause after it take no longer: what is over it, the machine slept (guess). */
const LONGEST_ROUND_MS = 60_000
/** As many questions fit into `giveUpAfter`, however short that is: half of them to the home, half to the others (guess). */
const QUESTIONS_IN_PATIENCE = 8

/** So long a home may not know of an upload once another store has answered that knows it as little (guess). */
const TOLD_MS = 10_000

/**
 * Whom to ask for the commit next, and until when: the home for as long as `giveUpAfter`; then, where another store may take
 * its place, each of these between two questions to it, for as long again.
 */
export class CommitTurns {
  readonly #context: TransferContext
  #leastMissing = Number.POSITIVE_INFINITY
  #countedToMs: number
  #waitedMs: number
  #fruitless = 0
  /** Questions since others are asked, too. */
  #turn = 0
  /** The home's path is dead, and a relay answers for it: perhaps it is another store that answers as the home. */
  #isInDoubt = false
  /** Since when all who answered know of the upload as little as the home does. */
  #toldSinceMs: number | undefined

  constructor(context: TransferContext) {
    const { place, directory, clock } = context
    this.#context = context
    this.#countedToMs = clock.now()
    // a home that has been silent while bytes still went to mirrors has been waited for
    const home = directory.get(place.store)
    this.#waitedMs = place.isMovable && home?.state === 'suspect' ? clock.now() - home.suspectSinceMs : 0
  }

  /** Milliseconds since the home last got any further: a peer may say that it has blocks and not give them. */
  get waitedMs(): number {
    const nowMs = this.#context.clock.now()
    this.#waitedMs += Math.min(nowMs - this.#countedToMs, LONGEST_ROUND_MS)
    this.#countedToMs = nowMs
    return this.#waitedMs
  }

  /** The longest that it is waited for, milliseconds. */
  get mostMs(): number {
    const { place, directory, options } = this.#context
    return place.candidates(directory).length > 0 ? 2 * options.giveUpAfterMs : options.giveUpAfterMs
  }

  next(): StoreId {
    const { place, directory, options } = this.#context
    const others = this.waitedMs > options.giveUpAfterMs || this.#isInDoubt ? place.candidates(directory) : []
    if (others.length === 0) return place.store
    // others are asked without a pause as soon as the home has had its time
    if (this.#turn === 0) this.#fruitless = 0
    this.#turn += 1
    const other = others[((this.#turn - 1) >> 1) % others.length]
    return this.#turn % 2 === 0 || !other ? place.store : other.id
  }

  /** What answers as the home is the home now, and what the former one held does not count any more. */
  answered(id: StoreId, answer: CommitAnswer): void {
    const { place, directory, log } = this.#context
    const { waitedMs } = this
    const store = directory.get(id)
    this.#fruitless = 0
    this.#isInDoubt = store?.state === 'suspect'
    if (store && id !== place.store) {
      place.moveTo(store, log, waitedMs)
      this.#context.atHome = EMPTY_RANGES
      this.#waitedMs = 0
      this.#leastMissing = Number.POSITIVE_INFINITY
    }
    if (answer.state !== 'pulling' || answer.missingBytes >= this.#leastMissing) return
    this.#leastMissing = answer.missingBytes
    this.#waitedMs = 0
  }

  /** Whether the home may yet hear of the upload: it was away when the others took it, and has to be told by them. */
  mayBeTold(error: unknown): boolean {
    const { clock, directory } = this.#context
    if (!(error instanceof OperationError) || error.status !== 404 || directory.stores().length < 2) return false
    return this.#toldSinceMs === undefined || clock.now() - this.#toldSinceMs < TOLD_MS
  }

  /** What the others said: of one that knows the upload the home hears as soon as that one reaches it, and is waited for like any answer. */
  noteTellers(knows: readonly boolean[]): void {
    if (knows.includes(true)) this.#toldSinceMs = undefined
    else if (knows.length > 0) this.#toldSinceMs ??= this.#context.clock.now()
  }

  /** Nobody answered, or not yet: how long to leave it, milliseconds. */
  failed(error: Error): number {
    const { options, randomness } = this.#context
    this.#fruitless += 1
    const askedMs = error instanceof OperationError ? error.retryAfterMs : undefined
    const ownMs = backoffMs({ fruitless: this.#fruitless, uniform: randomness.uniform() })
    return Math.min(askedMs ?? ownMs, options.giveUpAfterMs / QUESTIONS_IN_PATIENCE)
  }
}
