import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Group } from '../groups/group.js'
import { type PeerDirectory, reasonOf } from './peer-directory.js'
import type { AddressedMessage } from './peer-messages.js'

const IDLE_MS = 5000
const BATCH_MS = 50
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 5000

/** The home's side of a group: tells the stores that take part what is verified, and how it ended. */
export class MemberLink {
  readonly #directory: PeerDirectory
  readonly #log: Logger
  /** What each store still has to hear: `group store`. */
  readonly #stale = new Set<string>()
  readonly #terminations = new WeakMap<Group, [string, string][]>()
  readonly #running = new Set<string>()
  /** Who has heard in this run that the group's home is here now: `group store`. */
  readonly #knowHome = new Set<string>()

  constructor(directory: PeerDirectory, log: Logger) {
    this.#directory = directory
    this.#log = log
  }

  /** At a mirror: how a client ended the group is asked of its home with that client's headers, as its own operation. */
  terminateLater(group: Group, headers: [string, string][]): void {
    this.#terminations.set(group, headers)
  }

  /** The verified coverage has changed: every participant ends the sessions that have nothing left to bring. */
  coverageChanged(group: Group): void {
    for (const store of group.participants) this.#tell(group, store, true)
  }

  /** The group has ended: every store in `toTell` hears of it until it has acknowledged. */
  groupEnded(group: Group): void {
    for (const store of group.toTell) {
      // one that did not know the group then may know it by now
      this.#knowHome.delete(keyOf(group, store))
      this.#tell(group, store, false)
    }
  }

  #tell(group: Group, store: string, isStale: boolean): void {
    const key = keyOf(group, store)
    if (isStale) this.#stale.add(key)
    if (this.#running.has(key)) return
    this.#running.add(key)
    void this.#run(group, store, key).finally(() => {
      this.#running.delete(key)
      // news may have come after the last look
      if (this.#hasNews(group, store, key) && !this.#directory.signal.aborted) this.#tell(group, store, false)
    })
  }

  async #run(group: Group, store: string, key: string): Promise<void> {
    let retryMs = FIRST_RETRY_MS
    if (!group.hasEnded) await this.#pause(BATCH_MS)
    while (!this.#directory.signal.aborted) {
      const message = this.#next(group, store, key)
      if (!message) return
      if (await this.#send(store, message)) {
        retryMs = FIRST_RETRY_MS
        if (message.op === 'moved') this.#knowHome.add(key)
        else if (message.op !== 'superseded') {
          group.toTell.delete(store)
          this.#terminations.delete(group)
          await group.save().catch(() => {})
        } else await this.#pause(BATCH_MS)
        continue
      }
      if (message.op === 'superseded') this.#stale.add(key)
      await this.#pause(retryMs)
      retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)
    }
  }

  #next(group: Group, store: string, key: string): AddressedMessage | undefined {
    const from = this.#directory.ownStoreId
    if (group.homeMove?.from && group.home === from && this.#hasNews(group, store, key) && !this.#knowHome.has(key)) {
      return { op: 'moved', from, group: group.id }
    }
    const wasStale = this.#stale.delete(key)
    if (group.hasEnded && store === group.home) return this.#terminate(group, store)
    if (group.state === 'committed' || group.state === 'terminated' || group.state === 'expired') {
      if (!group.toTell.has(store)) return undefined
      return {
        op: 'ended',
        from,
        group: group.id,
        state: group.state,
        url: group.state === 'committed' ? group.url : null,
      }
    }
    if (!wasStale) return undefined
    const verified = group.blocks.verifiedAnywhere(group.knownSize).map(({ start, end }) => ({ start, end }))
    return { op: 'superseded', from, group: group.id, verified }
  }

  #hasNews(group: Group, store: string, key: string): boolean {
    return this.#stale.has(key) || (group.hasEnded && group.toTell.has(store))
  }

  /** Only the home ends a group for everybody: it is asked as the client would. Forgotten in a restart; then it expires. */
  #terminate(group: Group, store: string): AddressedMessage | undefined {
    const headers = this.#terminations.get(group)
    const endpoint = this.#directory.byStore(store)?.client.endpoint ?? ''
    if (!headers) group.toTell.delete(store)
    if (!headers || !group.toTell.has(store)) return undefined
    const operation = { op: 'terminate', group: group.id, home: group.home }
    return { op: 'relay', from: this.#directory.ownStoreId, endpoint, operation, headers }
  }

  /** Returns whether the peer has taken it. A group that it does not know has nothing there to end. */
  async #send(store: string, message: AddressedMessage): Promise<boolean> {
    const peer = this.#directory.byStore(store)
    if (!peer) return false
    try {
      const { status } = await peer.client.send(message, { idleMs: IDLE_MS, signal: this.#directory.signal })
      this.#directory.answered(peer)
      return status < 500
    } catch (error) {
      this.#directory.failed(peer)
      this.#log.info({ peer: peer.client.endpoint, op: message.op, reason: reasonOf(error) }, 'peer not reached')
      return false
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#directory.signal, ref: false }).catch(() => {})
  }
}

function keyOf(group: Group, store: string): string {
  return `${group.id} ${store}`
}
