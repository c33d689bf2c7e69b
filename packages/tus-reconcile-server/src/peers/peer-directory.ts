import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { PeerClient, PeerRefusesError } from './peer-client.js'

const HELLO_IDLE_MS = 2000
const HELLO_FIRST_RETRY_MS = 200
const HELLO_MAX_RETRY_MS = 5000
/** A peer may be set up anew at the same address. */
const HELLO_AGAIN_MS = 30_000
/** A peer that has failed for this long counts as out of reach until it answers (guess: above a short outage). */
const UNREACHABLE_MS = 5000

/** One entry of the allow list, and what is known of it. */
export interface Peer {
  readonly client: PeerClient
  storeId: string | undefined
  /** The first failure since it last answered. */
  failingSinceMs: number | undefined
  /** The last greeting failed for our signature. */
  refusesUs: boolean
  /** Ends the pause before the next greeting. */
  wake: AbortController
}

/** `unknown`: it was not asked yet. `refusing`: our signature is nothing to it. `failing`: it does not answer. */
type PeerState = 'reachable' | 'unknown' | 'failing' | 'refusing'

/** The allow list: the only addresses that are ever called, and which store answers at each. */
export class PeerDirectory {
  readonly peers: readonly Peer[]
  readonly #log: Logger
  readonly #closing = new AbortController()
  readonly #known = new Set<(peer: Peer) => void>()
  #ownStoreId = ''
  #startedMs = 0

  constructor(
    entries: readonly { readonly endpoint: string; readonly internalEndpoint: string }[],
    secret: () => string,
    log: Logger,
  ) {
    this.#log = log
    this.peers = entries.map((entry) => ({
      client: new PeerClient({ ...entry, secret }),
      storeId: undefined,
      failingSinceMs: undefined,
      refusesUs: false,
      wake: new AbortController(),
    }))
  }

  get signal(): AbortSignal {
    return this.#closing.signal
  }

  get ownStoreId(): string {
    return this.#ownStoreId
  }

  start(ownStoreId: string): void {
    this.#ownStoreId = ownStoreId
    this.#startedMs = Date.now()
    for (const peer of this.peers) void this.#greet(peer)
  }

  /** Called whenever a peer's store is learnt, or it answers again after failures. */
  onReachable(listener: (peer: Peer) => void): void {
    this.#known.add(listener)
  }

  byStore(storeId: string): Peer | undefined {
    return this.peers.find((peer) => peer.storeId === storeId)
  }

  /** Every peer has said who it is: a store that is not among them is on no list. */
  get isComplete(): boolean {
    return this.peers.every((peer) => peer.storeId !== undefined)
  }

  /** Asks the peers that are not known yet at once, and waits for `storeId` up to `ms`. */
  async find(storeId: string, ms: number): Promise<Peer | undefined> {
    const known = this.byStore(storeId)
    if (known || this.isComplete) return known
    this.greetUnknown()
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#known.delete(onKnown)
        resolve(this.byStore(storeId))
      }
      const onKnown = (peer: Peer) => {
        if (peer.storeId === storeId || this.isComplete) done()
      }
      const timer = setTimeout(done, ms)
      this.#known.add(onKnown)
    })
  }

  /** Peers that are not known, or have failed, are asked now. (Never all: two servers would greet each other for ever.) */
  greetUnknown(): void {
    for (const peer of this.peers) {
      if (peer.storeId === undefined || peer.failingSinceMs !== undefined) peer.wake.abort()
    }
  }

  /** One for each peer, in the order of the list. */
  states(): readonly PeerState[] {
    return this.peers.map(stateOf)
  }

  isReachable(storeId: string): boolean {
    const peer = this.byStore(storeId)
    const sinceMs = peer ? peer.failingSinceMs : this.#startedMs
    return sinceMs === undefined || Date.now() - sinceMs < UNREACHABLE_MS
  }

  /** The peer did not answer: from now on it is greeted often, until it does. */
  failed(peer: Peer): void {
    if (peer.failingSinceMs !== undefined) return
    peer.failingSinceMs = Date.now()
    peer.wake.abort()
  }

  answered(peer: Peer): void {
    const wasFailing = peer.failingSinceMs !== undefined
    peer.failingSinceMs = undefined
    peer.refusesUs = false
    if (wasFailing) for (const listener of [...this.#known]) listener(peer)
  }

  close(): void {
    this.#closing.abort()
    for (const peer of this.peers) peer.client.close()
  }

  async #greet(peer: Peer): Promise<void> {
    let retryMs = HELLO_FIRST_RETRY_MS
    while (!this.signal.aborted) {
      const ok = await this.#hello(peer)
      if (this.signal.aborted) return
      const waitMs = ok ? HELLO_AGAIN_MS : retryMs
      retryMs = ok ? HELLO_FIRST_RETRY_MS : Math.min(retryMs * 2, HELLO_MAX_RETRY_MS)
      peer.wake = new AbortController()
      const signal = AbortSignal.any([this.signal, peer.wake.signal])
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  async #hello(peer: Peer): Promise<boolean> {
    try {
      const limits = { idleMs: HELLO_IDLE_MS, signal: this.signal }
      const storeId = await peer.client.greet(this.#ownStoreId, limits)
      const isNew = peer.storeId !== storeId
      peer.storeId = storeId
      this.answered(peer)
      if (!isNew) return true
      this.#log.info({ peer: peer.client.endpoint, store: storeId }, 'peer known')
      for (const listener of [...this.#known]) listener(peer)
      return true
    } catch (error) {
      if (!this.signal.aborted) this.#tellFailure(peer, error)
      this.failed(peer)
      return false
    }
  }

  /** Once, until it answers or fails otherwise. */
  #tellFailure(peer: Peer, error: unknown): void {
    const refusesUs = error instanceof PeerRefusesError
    const failure = { peer: peer.client.endpoint, reason: reasonOf(error) }
    if (refusesUs && !peer.refusesUs) this.#log.warn(failure, 'peer refuses our signature')
    if (!refusesUs && peer.failingSinceMs === undefined) this.#log.warn(failure, 'peer does not answer')
    peer.refusesUs = refusesUs
  }
}

function stateOf({ refusesUs, failingSinceMs, storeId }: Peer): PeerState {
  if (refusesUs) return 'refusing'
  if (failingSinceMs !== undefined) return 'failing'
  return storeId === undefined ? 'unknown' : 'reachable'
}

export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.message : 'unknown'
}
