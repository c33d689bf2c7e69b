import type { Clock } from './ports.js'

/** Resolves after `delayMs`, or as soon as the signal fires. Leaves no timer. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = () => {
      cancel()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = clock.after(delayMs, finish)
    signal.addEventListener('abort', finish)
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
  signal.addEventListener('abort', abort)
  const done = () => {
    cancel()
    signal.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, done }
}
