import type { Clock } from './ports.js'

/** Who waits for a signal, behind one listener of ours: of more than ten Node warns as of a leak. */
const waiting = new WeakMap<AbortSignal, { readonly callbacks: Set<() => void>; readonly fire: () => void }>()

/** Calls back once when the signal fires, not if it has fired already; the returned function ends that. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, fire } = waiting.get(signal) ?? listenTo(signal)
  // the same callback may wait twice
  const own = () => callback()
  callbacks.add(own)
  return () => {
    if (!callbacks.delete(own) || callbacks.size > 0) return
    signal.removeEventListener('abort', fire)
    waiting.delete(signal)
  }
}

function listenTo(signal: AbortSignal): { callbacks: Set<() => void>; fire: () => void } {
  const callbacks = new Set<() => void>()
  const fire = () => {
    for (const callback of [...callbacks]) callback()
  }
  signal.addEventListener('abort', fire)
  const entry = { callbacks, fire }
  waiting.set(signal, entry)
  return entry
}

/** Resolves after `delayMs`, or as soon as the signal fires. Leaves no timer. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = () => {
      cancel()
      leave()
      resolve()
    }
    const cancel = clock.after(delayMs, finish)
    const leave = onAbort(signal, finish)
  })
}

/** A signal that fires with `signal` or after `delayMs`. Call `done` when it is not needed any more. */
export function withDeadline(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal,
): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const cancel = clock.after(delayMs, abort)
  if (signal.aborted) abort()
  const leave = onAbort(signal, abort)
  const done = () => {
    cancel()
    leave()
  }
  return { signal: controller.signal, done }
}
