/**
 * Resolves in a task of its own, so that whatever else waits for the thread has its turn. A message's task, since timers of
 * hidden pages come once a second.
 */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}
