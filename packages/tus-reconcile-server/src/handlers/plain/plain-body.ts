import { BodyProgress } from '../../bodies/body-progress.js'
import { hasBody, requestBody } from '../../bodies/request-body.js'
import type { TusRequest } from '../../tus-request.js'

/**
 * Runs what reads `req.body`, for ever if need be, on a stream that hands on what comes as it is. The one that Node makes
 * of a request copies each piece, and reads thousands of them ahead of its reader. Where the body falls silent or drips
 * while it is waited for, its connection is ended. What arrived is kept, as after any cut.
 */
export async function withPlainBody<T>(req: TusRequest, timeoutMs: number, run: () => Promise<T>): Promise<T> {
  const incoming = req.runtime?.node?.req
  if (!incoming || !hasBody(req)) return run()
  const body = requestBody(req)
  const progress = new BodyProgress(timeoutMs)
  progress.pause()
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        progress.resume()
        const read = await body.read(progress.leftMs)
        if (read.kind === 'bytes') progress.note(read.bytes.length)
        progress.pause()
        if (read.kind === 'bytes') {
          for (const piece of read.bytes.pieces) controller.enqueue(piece)
        } else if (read.kind === 'end') controller.close()
        else {
          if (read.kind === 'stalled') incoming.destroy(new Error('the body is too slow'))
          controller.error(new Error('the connection broke off in mid-body'))
        }
      },
    },
    { highWaterMark: 0 },
  )
  Object.defineProperty(req, 'body', { value: stream, configurable: true })
  try {
    return await run()
  } finally {
    body.release()
  }
}
