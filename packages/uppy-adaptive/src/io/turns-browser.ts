import type { Turns } from '../orchestration/ports.js'

const PREFIX = 'uppy-adaptive:'

/** Web Locks and BroadcastChannel, which the pages of one origin share; undefined where a page has none (no secure context). */
export function openTurns(): Turns | undefined {
  if (typeof navigator === 'undefined' || !navigator.locks || typeof BroadcastChannel === 'undefined') return undefined
  return { take, open }
}

async function take(name: string, o: { signal: AbortSignal; onTaken: () => void }): Promise<(() => void) | undefined> {
  const free = await hold(name, { ifAvailable: true })
  if (free) return free
  o.onTaken()
  if (o.signal.aborted) return undefined
  return hold(name, { signal: o.signal })
}

/** Asks for the lock; what is returned lets go of it. Undefined: another page has it, or the signal has fired. */
function hold(name: string, options: LockOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const held = (lock: Lock | null) => {
      if (!lock) return resolve(undefined)
      return new Promise<void>((letGo) => resolve(letGo))
    }
    // refused: by its signal; or by a page that may have no locks, which then has no other pages either
    navigator.locks
      .request(PREFIX + name, options, held)
      .catch(() => resolve(options.signal?.aborted ? undefined : () => {}))
  })
}

function open(name: string, onMessage: (message: unknown) => void): { post(message: unknown): void; close(): void } {
  const channel = new BroadcastChannel(PREFIX + name)
  channel.onmessage = ({ data }) => onMessage(data)
  return { post: (message) => channel.postMessage(message), close: () => channel.close() }
}
