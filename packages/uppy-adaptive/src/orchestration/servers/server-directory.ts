import type { UploadLimit } from 'tus-reconcile-protocol'
import type { StoreId } from '../../partitioning/partition-plan.js'
import { decideQuarantineMs } from '../../redundancy/quarantine.js'
import type { RouteHistory } from '../kept/route-history.js'
import type { EventLog } from '../log/event-log.js'
import type { Capabilities, ServerPort } from '../ports.js'
import { nameOfAddress } from '../ports.js'
import type { WarningCode } from '../upload-error.js'
import { Answering } from './answering.js'

/** An address of a store. */
export interface Route {
  readonly port: ServerPort
  readonly endpoint: string
  /** When something last came back by it: a probe's answer or an event. */
  heardAtMs: number
  /** Since when and how it answers what it is asked. */
  readonly answering: Answering
  /** How long its first probe took, with whatever it takes to connect; undefined where nobody has measured it. */
  readonly probeMs: number | undefined
}

/** A server's storage, by its `Store-Id`, and the addresses that reach it. */
export interface Store {
  readonly id: StoreId
  /** 0 is the primary, then the mirrors in their order. */
  server: number
  readonly routes: Route[]
  /** The route in use. */
  route: Route
  limit: UploadLimit
  /** Whether its operator lets files be committed at another store than their home. */
  readonly commitsElsewhere: boolean
  /** `suspect` gets no new session until it has answered; `unusable` none at all. */
  state: 'ready' | 'suspect' | 'unusable'
  suspectSinceMs: number
  /** How often it came into suspicion since it last acknowledged a byte. */
  suspicions: number
  /**
   * Since when an event stream tells what arrives. `-Infinity` where none has ever spoken: nothing is expected of it;
   * `Infinity` while one that had is gone: no silence of a session says anything.
   */
  tellsSinceMs: number
  /** It was suspect: its next partition is a small one, whatever it carried before. */
  onProbation: boolean
}

/** Which stores there are, by which routes they are reached, and how they are. */
export class ServerDirectory {
  readonly #stores = new Map<StoreId, Store>()
  readonly #log: EventLog
  readonly #history: RouteHistory | undefined

  constructor(log: EventLog, history?: RouteHistory) {
    this.#log = log
    this.#history = history
  }

  /** A server has answered its probe. The first of a Store-Id makes the store, later ones are routes to it. */
  admit(port: ServerPort, server: number, capabilities: Capabilities, probeMs?: number): Store | undefined {
    const id = capabilities.storeId
    if (capabilities.kind !== 'reconcile' || id === undefined) return undefined
    const neverHeard = { heardAtMs: Number.NEGATIVE_INFINITY, answering: new Answering() }
    const route = { port, endpoint: port.endpoint, ...neverHeard, probeMs }
    const known = this.#stores.get(id)
    if (known) return this.#admitRoute(known, route, server)
    const store: Store = {
      id,
      server,
      routes: [route],
      route,
      limit: capabilities.limit,
      commitsElsewhere: capabilities.commitsElsewhere ?? false,
      state: 'ready',
      suspectSinceMs: 0,
      suspicions: 0,
      tellsSinceMs: Number.NEGATIVE_INFINITY,
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

  #admitRoute(store: Store, route: Route, server: number): Store {
    // another way to an endpoint of it is meant as one
    if (!store.routes.some(({ endpoint }) => endpoint === route.endpoint)) this.#warnOfOneStore(store, route)
    store.routes.push(route)
    if (server === 0) store.server = 0
    const isAvoided = (address: string) => this.#history?.isAvoided(address) ?? false
    // the primary's own address goes first, whichever answered first, unless it was left for its silence just now
    const isBetter = server === 0 || isAvoided(store.route.endpoint)
    if (isBetter && !isAvoided(route.endpoint)) store.route = route
    return store
  }

  #warnOfOneStore({ id, route }: Store, { endpoint }: Route): void {
    const message = `${endpoint} reaches the same storage as ${route.endpoint} (Store-Id ${id}): used as another route to it, not as a mirror; a mirror needs storage of its own`
    this.#log.emit({ type: 'warning', code: 'same-store', endpoint, message })
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
    store.suspicions += 1
    store.onProbation = true
    const { endpoint } = store.route
    const quarantineMs = decideQuarantineMs(store.suspicions)
    const said = { type: 'server', endpoint, server: store.server, store: id, state: 'suspect', reason } as const
    this.#log.emit({ ...said, ...(quarantineMs > 0 && { quarantineMs }) })
  }

  /** A store in suspicion that is left alone for now, whatever it answers: it failed again and again, and others carry on. */
  isQuarantined(store: Store, nowMs: number): boolean {
    if (store.state !== 'suspect' || nowMs - store.suspectSinceMs >= decideQuarantineMs(store.suspicions)) return false
    return this.stores().some((other) => other.state === 'ready')
  }

  /** The store has acknowledged bytes that came by this route: whatever it failed at is over. */
  acquit(id: StoreId, route: Route | undefined): void {
    const store = this.#stores.get(id)
    if (!store) return
    // what had come by a route before it was left may be told by another
    if (route && route.endpoint === store.route.endpoint) this.#history?.noteUsed(route.endpoint)
    store.suspicions = 0
    this.trust(id, 'its bytes flow again')
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
  exclude(id: StoreId, code: WarningCode, message: string): void {
    const store = this.#stores.get(id)
    if (!store || store.state === 'unusable') return
    store.state = 'unusable'
    const { endpoint } = store.route
    this.#log.emit({ type: 'server', endpoint, server: store.server, store: id, state: 'unusable', reason: message })
    this.#log.emit({ type: 'warning', code, message, endpoint })
  }

  /** Leaves `silent` for the route that was heard last; nothing happens when the store goes by another one already. */
  leaveRoute(id: StoreId, silent: Route): void {
    const store = this.#stores.get(id)
    if (store?.route !== silent) return
    store.route = store.routes.reduce((best, route) => (route.heardAtMs > best.heardAtMs ? route : best), silent)
    if (store.route === silent) return
    this.#history?.noteLeft(silent.endpoint)
    const [from, endpoint] = [nameOfAddress(silent.port), nameOfAddress(store.route.port)]
    this.#log.emit({ type: 'route', server: store.server, store: id, from, endpoint })
  }
}
