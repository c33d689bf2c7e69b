import type { UploadLimit } from 'tus-reconcile-protocol'
import type { StoreId } from '../partitioning/partition-plan.js'
import type { EventLog } from './event-log.js'
import type { Capabilities, ServerPort } from './ports.js'

/** An address of a store. */
export interface Route {
  readonly port: ServerPort
  readonly endpoint: string
}

/** A server's storage, by its `Store-Id`, and the addresses that reach it. */
export interface Store {
  readonly id: StoreId
  /** 0 is the primary, then the mirrors in their order. */
  server: number
  readonly routes: Route[]
  /** The route in use. */
  route: Route
  /** The route that answered the last probe first. */
  answering: Route | undefined
  limit: UploadLimit
  /** `suspect` gets no new session until it has answered; `unusable` none at all. */
  state: 'ready' | 'suspect' | 'unusable'
  suspectSinceMs: number
  /** It was suspect: its next partition is a small one, whatever it carried before. */
  onProbation: boolean
}

/** Which stores there are, by which routes they are reached, and how they are. */
export class ServerDirectory {
  readonly #stores = new Map<StoreId, Store>()
  readonly #log: EventLog

  constructor(log: EventLog) {
    this.#log = log
  }

  /** A server has answered its probe. The first of a Store-Id makes the store, later ones are routes to it. */
  admit(port: ServerPort, server: number, capabilities: Capabilities): Store | undefined {
    const id = capabilities.storeId
    if (capabilities.kind !== 'reconcile' || id === undefined) return undefined
    const route = { port, endpoint: port.endpoint }
    const known = this.#stores.get(id)
    if (known) {
      known.routes.push(route)
      // the primary's own address goes first, whichever answered first
      if (server === 0) {
        known.server = 0
        known.route = route
      }
      this.#log.emit({
        type: 'warning',
        code: 'same-store',
        endpoint: port.endpoint,
        message: `${port.endpoint} reaches the same storage as ${known.route.endpoint} (Store-Id ${id}): used as another route to it, not as a mirror; a mirror needs storage of its own`,
      })
      return known
    }
    const store: Store = {
      id,
      server,
      routes: [route],
      route,
      answering: undefined,
      limit: capabilities.limit,
      state: 'ready',
      suspectSinceMs: 0,
      onProbation: false,
    }
    this.#stores.set(id, store)
    this.#log.emit({
      type: 'server',
      endpoint: port.endpoint,
      server,
      store: id,
      state: 'ready',
      reason: 'answered its probe',
    })
    return store
  }

  stores(): Store[] {
    return [...this.#stores.values()]
  }

  get(id: StoreId): Store | undefined {
    return this.#stores.get(id)
  }

  serverOf(id: StoreId): number {
    return this.#stores.get(id)?.server ?? -1
  }

  suspect(id: StoreId, reason: string, nowMs: number): void {
    const store = this.#stores.get(id)
    if (store?.state !== 'ready') return
    store.state = 'suspect'
    store.suspectSinceMs = nowMs
    store.onProbation = true
    this.#log.emit({
      type: 'server',
      endpoint: store.route.endpoint,
      server: store.server,
      store: id,
      state: 'suspect',
      reason,
    })
  }

  trust(id: StoreId, reason: string): void {
    const store = this.#stores.get(id)
    if (store?.state !== 'suspect') return
    store.state = 'ready'
    this.#log.emit({
      type: 'server',
      endpoint: store.route.endpoint,
      server: store.server,
      store: id,
      state: 'returned',
      reason,
    })
  }

  /** The store is left out for the rest of this upload. */
  exclude(id: StoreId, code: string, message: string): void {
    const store = this.#stores.get(id)
    if (!store || store.state === 'unusable') return
    store.state = 'unusable'
    this.#log.emit({ type: 'warning', code, message, endpoint: store.route.endpoint })
  }

  /** Changes to the route that answers, else to the next; false when it has only one. */
  changeRoute(id: StoreId): boolean {
    const store = this.#stores.get(id)
    if (!store || store.routes.length < 2) return false
    const following = store.routes[(store.routes.indexOf(store.route) + 1) % store.routes.length]
    const next = store.answering === store.route ? following : (store.answering ?? following)
    if (!next) return false
    store.route = next
    return true
  }
}
