import { hasBody, requestBody } from '../../bodies/request-body.js'
import type { TusRequest } from '../../tus-request.js'

/** Nobody waits for this: too slow a body is ended by `paced`. */
const WAIT_MS = 60_000

/**
 * Runs what reads `req.body` on a stream that hands on what comes as it is. The one that Node makes of a request copies
 * each piece, and reads thousands of them ahead of its reader.
 */
export async function withPlainBody<T>(req: TusRequest, run: () => Promise<T>): Promise<T> {
  if (!req.runtime?.node?.req || !hasBody(req)) return run()
  const body = requestBody(req)
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const read = await body.read(WAIT_MS)
          if (read.kind === 'stalled' || read.kind === 'changed') continue
          if (read.kind === 'bytes') for (const piece of read.bytes.pieces) controller.enqueue(piece)
          else if (read.kind === 'end') controller.close()
          else controller.error(new Error('the connection broke off in mid-body'))
          return
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
