import type { ByteRange, ClaimAnswer } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, blockFloor, MAX_ENTRIES } from 'tus-reconcile-protocol'
import type { SessionId, StoreId } from '../../partitioning/partition-plan.js'
import { OperationError } from '../ports.js'
import type { Operations } from '../servers/operations.js'
import { pause } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'

/** How far ahead of the sender blocks are hashed and claimed, bytes. */
const LOOKAHEAD_BYTES = 4 * 1024 * 1024
const CLAIM_INTERVAL_MS = 1_000
/** A claim that overtook the creation is repeated this soon, and then half as often each time. */
const EARLY_CLAIM_MS = 50
const MAX_LEAVES_PER_CLAIM = MAX_ENTRIES
/** Blocks from before that are compared with the file anew, in each claim at most: 64 MiB, so that hashing them delays nothing (guess). */
const MAX_COMPARED_PER_CLAIM = 256

interface Claimant {
  readonly session: SessionId
  readonly store: StoreId
  readonly start: number
  /** Claims were accepted up to here. */
  claimedTo: number
  /** Fixed once the session has ended: the whole blocks that its store holds. */
  endedAt: number | undefined
  /** Its blocks were verified before: they are compared with what the file is now, when nothing else is to be said. */
  readonly isVerified: boolean
}

/** What comes of claims. */
interface ClaimResults {
  onAnswer(store: StoreId, answer: ClaimAnswer): void
  /** The store will not have digests, and asking again does not help. */
  onRefusal(store: StoreId, refusal: OperationError): void
}

/** Tells each store the digests of the bytes that it gets: apart from the bytes, about once a second (DESIGN 5.4). */
export class Claims {
  readonly #context: TransferContext
  readonly #operations: Operations
  readonly #claimants = new Map<SessionId, Claimant>()
  readonly #busy = new Set<StoreId>()
  readonly #nextAtMs = new Map<StoreId, number>()
  /** How often in a row a store did not know the group. */
  readonly #early = new Map<StoreId, number>()
  readonly #results: ClaimResults

  constructor(context: TransferContext, operations: Operations, results: ClaimResults) {
    this.#context = context
    this.#operations = operations
    this.#results = results
  }

  begin(o: { session: SessionId; store: StoreId; start: number }): void {
    this.#claimants.set(o.session, { ...o, claimedTo: o.start, endedAt: undefined, isVerified: false })
  }

  /** The session is over; its store keeps `range`, which is still to be claimed. */
  end(session: SessionId, endedAt: number): void {
    const claimant = this.#claimants.get(session)
    if (!claimant) return
    claimant.endedAt = endedAt
    this.#dropTold(claimant)
  }

  /** Bytes that a store holds from before (another page, another day). */
  adopt(o: { session: SessionId; store: StoreId; range: ByteRange; isVerified: boolean }): void {
    this.#claimants.set(o.session, {
      session: o.session,
      store: o.store,
      start: o.range.start,
      claimedTo: o.range.start,
      endedAt: o.range.end,
      isVerified: o.isVerified,
    })
  }

  /** The store is given up: what ended sessions left there is not claimed any more. */
  forgetStore(store: StoreId): void {
    for (const [id, claimant] of this.#claimants)
      if (claimant.store === store && claimant.endedAt !== undefined) this.#claimants.delete(id)
  }

  /** Starts a claim at every store that has something to hear and was not asked just now. */
  pass(nowMs: number): void {
    for (const store of new Set(Array.from(this.#claimants.values(), (claimant) => claimant.store))) {
      if (this.#busy.has(store) || (this.#nextAtMs.get(store) ?? 0) > nowMs) continue
      void this.#claimAt(store, nowMs)
    }
  }

  /** A session has just ended: claim at its store without waiting for the interval. */
  hurry(store: StoreId): void {
    this.#nextAtMs.delete(store)
    this.pass(this.#context.clock.now())
  }

  async #claimAt(store: StoreId, nowMs: number): Promise<void> {
    this.#busy.add(store)
    try {
      const claims = await this.#gather(store)
      if (claims.length === 0) return
      this.#nextAtMs.set(store, nowMs + CLAIM_INTERVAL_MS)
      const answer = await this.#operations.ask(store, { op: 'claim', claims }, this.#context.signal)
      this.#early.delete(store)
      for (const claim of claims) this.#advance(claim)
      this.#results.onAnswer(store, answer)
      this.#context.wake()
    } catch (error) {
      if (!this.#context.signal.aborted) await this.#recover(store, error)
    } finally {
      this.#busy.delete(store)
    }
  }

  async #recover(store: StoreId, error: unknown): Promise<void> {
    const { clock, directory, signal } = this.#context
    if (isSourceFault(error)) return this.#context.fail(error)
    if (!(error instanceof OperationError)) directory.suspect(store, 'takes no claims', clock.now())
    else if (isFinal(error)) return this.#results.onRefusal(store, error)
    await pause(clock, this.#restMs(store, error), signal)
    this.#context.wake()
  }

  #restMs(store: StoreId, error: unknown): number {
    // 404: the claim has overtaken the creation that opens the group there
    if (!(error instanceof OperationError) || error.status !== 404) return CLAIM_INTERVAL_MS
    const times = this.#early.get(store) ?? 0
    this.#early.set(store, times + 1)
    this.#nextAtMs.delete(store)
    return Math.min(EARLY_CLAIM_MS * 2 ** times, CLAIM_INTERVAL_MS)
  }

  async #gather(store: StoreId): Promise<{ session: SessionId; start: number; leaves: string[] }[]> {
    const claims: { session: SessionId; start: number; leaves: string[] }[] = []
    let room = MAX_LEAVES_PER_CLAIM
    for (const claimant of this.#newsFirst(store)) {
      if (claimant.isVerified) room = Math.min(room, MAX_COMPARED_PER_CLAIM)
      if (room <= 0) break
      const range = {
        start: claimant.claimedTo,
        end: Math.min(this.#claimableTo(claimant), claimant.claimedTo + room * BLOCK_SIZE),
      }
      if (range.end <= range.start) continue
      await this.#context.leaves.compute(range, this.#context.signal)
      const leaves = this.#context.leaves.known(range).slice(0, room)
      if (leaves.length === 0) continue
      room -= leaves.length
      claims.push({ session: claimant.session, start: range.start, leaves })
    }
    return claims
  }

  #newsFirst(store: StoreId): Claimant[] {
    const own = [...this.#claimants.values()].filter((claimant) => claimant.store === store)
    return own.sort((a, b) => Number(a.isVerified) - Number(b.isVerified))
  }

  #claimableTo(claimant: Claimant): number {
    if (claimant.endedAt !== undefined) return claimant.endedAt
    const session = this.#context.plan.session(claimant.session)
    if (!session) return claimant.claimedTo
    const handedOver = this.#context.runners.get(claimant.session)?.handedOver ?? session.acked
    const ahead = Math.max(session.acked, handedOver) + LOOKAHEAD_BYTES
    return ahead >= session.end ? session.end : blockFloor(ahead)
  }

  #advance(claim: { session: SessionId; start: number; leaves: string[] }): void {
    const claimant = this.#claimants.get(claim.session)
    if (!claimant) return
    const to = Math.min(claim.start + claim.leaves.length * BLOCK_SIZE, this.#context.plan.sizeBytes)
    claimant.claimedTo = Math.max(claimant.claimedTo, to)
    this.#dropTold(claimant)
  }

  /** All of what the store holds of it was claimed: nothing of it is to be said any more. */
  #dropTold({ session, claimedTo, endedAt }: Claimant): void {
    if (endedAt !== undefined && claimedTo >= endedAt) this.#claimants.delete(session)
  }
}

function isSourceFault(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('source-')
}

/** A refusal for good; what is over (404, 410) its sessions learn, and what passes (408, 423, 429, 5xx) is asked again. */
function isFinal({ status }: OperationError): boolean {
  return status < 500 && ![404, 408, 410, 423, 429].includes(status)
}
