import { Refusal } from './memory-refusal.js'
import type { MemoryServer } from './memory-server.js'

/** How long a peer's answer is waited for. */
const PATIENCE_MS = 1_500

/** The ways from one server to the others that list it. */
export class MemoryPeerLines {
  readonly #server: MemoryServer
  readonly #all: readonly MemoryServer[]
  readonly #lastFailed = new Set<string>()
  /** One way. */
  delayMs = 5
  /** Stores that cannot be reached from here, nor from there. */
  readonly cutFrom = new Set<string>()

  constructor(server: MemoryServer, all: readonly MemoryServer[]) {
    this.#server = server
    this.#all = all
  }

  /** Stores of all others. */
  get others(): string[] {
    return this.#all.flatMap(({ id }) => (id === this.#server.id ? [] : [id]))
  }

  isListed(store: string): boolean {
    return this.#all.some(({ id }) => id === store)
  }

  /** Listed, and it has answered when it was asked last. */
  isReachable(store: string): boolean {
    return !this.#lastFailed.has(store) && this.isListed(store)
  }

  /** There and back. @throws Refusal with status 0 when nobody answers */
  async call<T>(store: string, act: (peer: MemoryServer) => T | Promise<T>): Promise<T> {
    const peer = this.#all.find(({ id }) => id === store)
    const { run } = this.#server
    await this.pause(this.delayMs)
    const isThere = peer && !peer.isDown && !this.cutFrom.has(store) && run === this.#server.run
    if (!isThere) {
      this.#lastFailed.add(store)
      await this.pause(PATIENCE_MS)
      throw new Refusal(0, 'unreachable')
    }
    this.#lastFailed.delete(store)
    const answer = await peer.watched(() => act(peer))
    await this.pause(this.delayMs)
    if (run !== this.#server.run) throw new Refusal(0, 'reset')
    return answer
  }

  /** The same, and whether it has come to a good end. */
  tried(store: string, act: (peer: MemoryServer) => unknown): Promise<boolean> {
    return this.call(store, act).then(
      () => true,
      () => false,
    )
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#server.clock.after(ms, resolve))
  }

  /** What the process knew of the others is gone with it. */
  crash(): void {
    this.#lastFailed.clear()
  }
}
