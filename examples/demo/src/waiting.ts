/** Resolves after `delayMs`; rejects with the signal's reason as soon as that fires. Leaves no timer. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const timer = setTimeout(finish, delayMs)
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    function finish(): void {
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** Asks every `everyMs` until the answer is true or `limitMs` are over; returns the last answer. */
export async function pollUntil(
  ask: () => boolean | Promise<boolean>,
  o: { readonly everyMs: number; readonly limitMs: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + o.limitMs
  for (;;) {
    if (await ask()) return true
    if (performance.now() >= deadline) return false
    await sleep(o.everyMs, o.signal)
  }
}
