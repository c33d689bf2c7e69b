import type { Lock, Locker, RequestRelease } from '@tus/utils'

/** How long a request waits for the one that holds its upload (guess: a disk's worst write). */
const MAX_WAIT_MS = 10_000

interface Held {
  readonly release: RequestRelease
  readonly waiting: (() => void)[]
}

/** One request at a time per plain upload. Waits for a wake-up, where @tus/server's own locker spins. */
export class QueueLocker implements Locker {
  readonly #held = new Map<string, Held>()
  readonly #onWaited: (seconds: number) => void
  readonly #maxWaitMs: number

  /** @param onWaited told of each wait, when it has ended */
  constructor(onWaited: (seconds: number) => void = () => {}, maxWaitMs: number = MAX_WAIT_MS) {
    this.#onWaited = onWaited
    this.#maxWaitMs = maxWaitMs
  }

  newLock(id: string): Lock {
    return {
      lock: (signal, cancelReq) => this.#lock(id, signal, cancelReq),
      unlock: async () => this.#unlock(id),
    }
  }

  async #lock(id: string, signal: AbortSignal, release: RequestRelease): Promise<void> {
    const deadline = Date.now() + this.#maxWaitMs
    for (let held = this.#held.get(id); held; held = this.#held.get(id)) {
      const began = performance.now()
      // waits before it asks: the holder may let go while it is asked
      const wakening = wakened(held.waiting, signal, deadline - Date.now())
      await held.release()
      const free = await wakening
      this.#onWaited((performance.now() - began) / 1000)
      if (!free) throw { status_code: 423, body: 'this upload is held by another request\n' }
    }
    this.#held.set(id, { release, waiting: [] })
  }

  #unlock(id: string): void {
    const held = this.#held.get(id)
    this.#held.delete(id)
    for (const wake of held?.waiting ?? []) wake()
  }
}

function wakened(waiting: (() => void)[], signal: AbortSignal, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (free: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(free)
    }
    const onAbort = () => done(false)
    const timer = setTimeout(() => done(false), Math.max(0, ms))
    signal.addEventListener('abort', onAbort)
    waiting.push(() => done(true))
  })
}
