import type { GroupOperationRequest, OperationAnswers } from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import { failureOfStatus } from '../failure-rules.js'
import { OperationError } from '../ports.js'
import { withDeadline } from '../timing.js'
import type { TransferContext } from '../transfer-context.js'
import { hearLoad } from '../transfer-context.js'
import type { Route, Store } from './server-directory.js'

type WithoutAddress<T> = T extends GroupOperationRequest ? Omit<T, 'group' | 'home' | 'store' | 'client'> : never
export type Operation = WithoutAddress<GroupOperationRequest>

/** An operation is answered in this time or goes another way: at least, and in retransmission time-outs. */
const MIN_DEADLINE_MS = 2_500
const DEADLINE_RTOS = 4

/** A server to send an operation to, and by which of its addresses. */
interface Way {
  readonly via: Store
  readonly route: Route
}

/** What an operation needs to know of its upload. */
export type OperationContext = Pick<
  TransferContext,
  'group' | 'client' | 'place' | 'directory' | 'model' | 'clock' | 'log'
> &
  Partial<Pick<TransferContext, 'noteRoundTrip'>>

/** Asks a store something: directly, or, while its path is in doubt or silent, through any other server, which relays it (DESIGN 5.9). */
export class Operations {
  readonly #context: OperationContext
  /** Stores for which another has answered what they had left unanswered themselves, and since when. */
  readonly #unheardSinceMs = new Map<StoreId, number>()

  constructor(context: OperationContext) {
    this.#context = context
  }

  /** @throws OperationError when the store refused; the last error when no way led to it. */
  async ask<Op extends Operation>(
    storeId: StoreId,
    operation: Op,
    signal: AbortSignal,
  ): Promise<OperationAnswers[Op['op']]> {
    let last: unknown = new Error(`no server leads to store ${storeId}`)
    let silentSinceMs: number | undefined
    for (const way of this.#ways(storeId)) {
      if (signal.aborted) break
      const askedMs = this.#context.clock.now()
      try {
        const answer = await this.#send(way, storeId, operation, signal)
        if (way.via.id !== storeId && silentSinceMs !== undefined) this.#unheardSinceMs.set(storeId, silentSinceMs)
        return answer
      } catch (error) {
        // what breaks at once costs no wait
        if (way.via.id === storeId && this.#context.clock.now() - askedMs >= MIN_DEADLINE_MS) silentSinceMs ??= askedMs
        const isAstray = error instanceof OperationError && error.code === 'unknown-store'
        if (error instanceof OperationError && error.status < 500 && !isAstray) throw error
        // who does not know the store says nothing of it
        last = isAstray ? new Error(`${way.route.endpoint} does not lead to store ${storeId}`, { cause: error }) : error
      }
    }
    throw last
  }

  #ways(storeId: StoreId): Way[] {
    const { directory } = this.#context
    const others = directory
      .stores()
      .filter((store) => store.id !== storeId && store.state === 'ready')
      .map((via) => ({ via, route: via.route }))
    const target = directory.get(storeId)
    if (!target) return others
    const routes = [target.route, ...target.routes.filter((route) => route !== target.route)]
    const direct = routes.map((route) => ({ via: target, route }))
    const isDoubtful = target.state !== 'ready' || this.#isUnheard(storeId)
    return isDoubtful ? [...others, ...direct] : [...direct, ...others]
  }

  /** Silent where another led to it, and not heard since: it is not waited for again with each question. */
  #isUnheard(storeId: StoreId): boolean {
    const sinceMs = this.#unheardSinceMs.get(storeId)
    if (sinceMs === undefined) return false
    if ((this.#context.model.store(storeId).lastHeardMs ?? Number.NEGATIVE_INFINITY) <= sinceMs) return true
    this.#unheardSinceMs.delete(storeId)
    return false
  }

  async #send<Op extends Operation>(
    { via, route }: Way,
    storeId: StoreId,
    operation: Op,
    signal: AbortSignal,
  ): Promise<OperationAnswers[Op['op']]> {
    const { group, client, place, model, clock, log } = this.#context
    const relayed = via.id !== storeId
    // the union of the operations keeps its tag, which TypeScript cannot follow through Omit and spread
    const request = {
      ...operation,
      group,
      home: place.home,
      store: storeId,
      client,
    } as unknown as GroupOperationRequest & { op: Op['op'] }
    const deadline = withDeadline(clock, Math.max(MIN_DEADLINE_MS, DEADLINE_RTOS * model.store(via.id).rtoMs), signal)
    const startedMs = clock.now()
    try {
      const answer = await route.port.operate(request, deadline.signal, hearLoad(this.#context, via.id))
      const nowMs = clock.now()
      // a relayed answer's time is two servers' time, and a commit waits on purpose: neither is this route's round trip
      if (!relayed && operation.op !== 'commit')
        model.requestRtt({ nowMs, store: via.id, roundTripMs: nowMs - startedMs, operation: operation.op })
      if (!relayed && operation.op === 'claim') this.#context.noteRoundTrip?.(via.id, nowMs - startedMs)
      route.heardAtMs = nowMs
      route.answering.note({ nowMs, askedMs: startedMs, rtoMs: model.store(via.id).rtoMs })
      model.heard({ nowMs, store: via.id })
      if (relayed) log.emit({ type: 'relayed', operation: operation.op, store: storeId, through: route.endpoint })
      return answer as OperationAnswers[Op['op']]
    } catch (error) {
      const refusal = error instanceof OperationError ? error : undefined
      // a claim that has overtaken its creation is answered before anything fills the path
      if (refusal?.status === 404 && !relayed) this.#context.noteRoundTrip?.(via.id, clock.now() - startedMs)
      // the application's credentials bound this: the same are refused twice at most
      if (refusal?.isRenewed && !signal.aborted) return await this.#send({ via, route }, storeId, operation, signal)
      // whose load a relayed refusal tells of is not said, and that another cannot be reached is no load
      const isOwn = !relayed && refusal?.code !== 'unreachable-store'
      if (refusal && isOwn && failureOfStatus(refusal) === 'load')
        model.busy({ nowMs: clock.now(), store: via.id, retryAfterMs: refusal.retryAfterMs })
      throw error
    } finally {
      deadline.done()
    }
  }
}
