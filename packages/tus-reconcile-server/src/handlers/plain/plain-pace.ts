import { LEAST_BYTES } from '../../bodies/body-progress.js'
import { hasBody } from '../../bodies/request-body.js'
import type { TusRequest } from '../../tus-request.js'

/**
 * The body of a plain upload is @tus/server's to read, which waits for ever: where it falls silent or drips, its
 * connection is ended. What arrived is kept, as after any cut.
 */
export async function paced<T>(req: TusRequest, timeoutMs: number, run: () => Promise<T>): Promise<T> {
  const incoming = req.runtime?.node?.req
  if (!incoming || !hasBody(req)) return run()
  let seen = incoming.socket.bytesRead
  const timer = setInterval(() => {
    const { bytesRead } = incoming.socket
    if (!incoming.complete && bytesRead - seen < LEAST_BYTES) incoming.destroy(new Error('the body is too slow'))
    seen = bytesRead
  }, timeoutMs)
  try {
    return await run()
  } finally {
    clearInterval(timer)
  }
}
