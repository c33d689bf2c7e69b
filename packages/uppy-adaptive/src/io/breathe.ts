/** In their order. */
const waiting: (() => void)[] = []
/** One for all, and kept: a message of a channel that nobody holds is lost when memory is collected (seen in Chromium). */
let channel: MessageChannel | undefined

/**
 * Resolves in a task of its own, so that whatever else waits for the thread has its turn. In a page that is a message's
 * task, since timers of hidden pages come once a second.
 */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    // a port that is listened to would keep a process alive
    if (typeof setImmediate === 'function') return void setImmediate(resolve)
    waiting.push(resolve)
    channel ??= openChannel()
    channel.port2.postMessage(null)
  })
}

function openChannel(): MessageChannel {
  const opened = new MessageChannel()
  opened.port1.onmessage = () => waiting.shift()?.()
  return opened
}
