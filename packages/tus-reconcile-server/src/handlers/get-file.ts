import { type FileHandle, open } from 'node:fs/promises'
import { ERRORS } from '@tus/utils'
import { HEADER } from 'tus-reconcile-protocol'
import { asRefusal, refusalAnswer } from './answer.js'
import { setCors } from './cors.js'
import { runIncoming } from './hooks.js'
import type { Exchange, Site } from './site.js'

const PIECE_BYTES = 262_144

/** A finished file, whole or a range of it, with CORS. */
export async function getFile(site: Site, exchange: Exchange, id: string | undefined): Promise<Response> {
  const { req, headers } = exchange
  const { handlers, options } = site.server
  setCors(options, req.headers.get('origin'), headers)
  headers.set(HEADER.storeId, site.storeId)
  if (!id) throw ERRORS.FILE_NOT_FOUND
  try {
    await runIncoming(site, req, id)
  } catch (error) {
    return refusalAnswer(site, exchange, { refusal: asRefusal(site, error) })
  }
  const upload = await site.plain.getUpload(id)
  if (upload.offset !== upload.size || !upload.storage) throw ERRORS.FILE_NOT_FOUND
  const { contentType, contentDisposition } = handlers.GET.filterContentType(upload)
  headers.set('Content-Type', contentType)
  headers.set('Content-Disposition', contentDisposition)
  headers.set('Accept-Ranges', 'bytes')
  headers.append('Access-Control-Expose-Headers', 'Accept-Ranges, Content-Range, Content-Disposition')
  headers.set('X-Content-Type-Options', 'nosniff')
  const range = readRange(req.headers.get('range'), upload.size)
  if (range === 'unsatisfiable') {
    headers.set('Content-Range', `bytes */${upload.size}`)
    return new Response(null, { status: 416, headers })
  }
  const { start, end } = range ?? { start: 0, end: upload.size }
  headers.set('Content-Length', String(end - start))
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${upload.size}`)
  const status = range ? 206 : 200
  if (end === start) return new Response(null, { status, headers })
  return new Response(pieces(await open(upload.storage.path, 'r'), start, end), { status, headers })
}

/** One range in bytes, half-open. What is no range of bytes is no range (RFC 9110, 14.2). */
function readRange(text: string | null, size: number): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text ?? '')
  const [, first = '', last = ''] = match ?? []
  if (!match || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size) return 'unsatisfiable'
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) }
}

function pieces(file: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { bytesRead, buffer } = await file.read({
            buffer: Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - at)),
            position: at,
          })
          if (bytesRead === 0) throw new Error('the file became shorter while it was read')
          at += bytesRead
          controller.enqueue(buffer.subarray(0, bytesRead))
          if (at < end) return
          await file.close()
          controller.close()
        } catch (error) {
          await file.close().catch(() => {})
          controller.error(error)
        }
      },
      async cancel() {
        await file.close().catch(() => {})
      },
    },
    { highWaterMark: 1 },
  )
}
