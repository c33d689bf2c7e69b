import type { Capabilities, Clock } from '../ports.js'
import { onAbort } from '../timing.js'
import type { BodyHosts } from './body-limits.js'
import type { Pasts } from './route-history.js'

/** Guess: servers change seldom, and a page's files come one after another. */
const FRESH_MS = 5 * 60_000
const MOST_SERVERS = 64

/** What the servers of a page or process answered to OPTIONS, at most five minutes ago, so that its uploads ask once; how their addresses did, and how large bodies their hosts take. */
export class KnownServers {
  readonly routes: Pasts = new Map()
  readonly bodies: BodyHosts = new Map()
  readonly #answers = new Map<string, { readonly capabilities: Capabilities; readonly atMs: number }>()
  readonly #asking = new Map<string, Promise<unknown>>()
  readonly #clock: Pick<Clock, 'now'>

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  recall(endpoint: string): Capabilities | undefined {
    const answer = this.#answers.get(endpoint)
    return answer && this.#clock.now() - answer.atMs < FRESH_MS ? answer.capabilities : undefined
  }

  /** Asks, unless another upload asks just now and is answered. @throws what `probe` throws */
  async ask(endpoint: string, probe: () => Promise<Capabilities>, signal: AbortSignal): Promise<Capabilities> {
    const asking = this.#asking.get(endpoint)
    if (asking) await settled(asking, signal)
    // another's failure may be its own: it was stopped, or has other credentials
    return (asking && this.recall(endpoint)) ?? this.#lead(endpoint, probe)
  }

  /** What a server answers is not what it was remembered for: it is asked again. */
  forget(endpoint: string): void {
    this.#answers.delete(endpoint)
  }

  async #lead(endpoint: string, probe: () => Promise<Capabilities>): Promise<Capabilities> {
    const probing = probe()
    this.#asking.set(endpoint, probing)
    try {
      const capabilities = await probing
      this.#answers.delete(endpoint)
      this.#answers.set(endpoint, { capabilities, atMs: this.#clock.now() })
      const [oldest] = this.#answers.keys()
      if (this.#answers.size > MOST_SERVERS && oldest !== undefined) this.#answers.delete(oldest)
      return capabilities
    } finally {
      if (this.#asking.get(endpoint) === probing) this.#asking.delete(endpoint)
    }
  }
}

/** Whatever becomes of it, or as soon as the signal fires. */
function settled(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const leave = onAbort(signal, resolve)
    const done = () => {
      leave()
      resolve()
    }
    work.then(done, done)
  })
}
