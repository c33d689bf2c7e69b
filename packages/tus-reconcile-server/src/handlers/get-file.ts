import { type FileHandle, open, stat } from 'node:fs/promises'
import { ERRORS } from '@tus/utils'
import { HEADER } from 'tus-reconcile-protocol'
import { readPieces } from '../bodies/side-file.js'
import { setCors } from './cors.js'
import { runIncoming } from './exchange/hooks.js'
import { reprDigestOf } from './exchange/repr-digest.js'
import type { Exchange, Site } from './exchange/site.js'
import { isNotModified, isRangeWanted, validatorsOf } from './validators.js'

/** What a browser may read of a download beside what it may of any answer. */
const EXPOSED = 'Accept-Ranges, Content-Range, Content-Disposition, ETag, Last-Modified'

/** A finished file, whole or a range of it, or word that the client has it already. With CORS. */
export async function getFile(site: Site, exchange: Exchange, id: string | undefined): Promise<Response> {
  const { req, headers } = exchange
  const { handlers, options } = site.server
  setCors(options, req.headers.get('origin'), headers)
  headers.set(HEADER.storeId, site.storeId)
  if (!id) throw ERRORS.FILE_NOT_FOUND
  await runIncoming(site, req, id)
  const url = urlElsewhere(site, id)
  if (url !== null) headers.set(HEADER.upload, url)
  const upload = await site.plain.getUpload(id)
  if (upload.offset !== upload.size || !upload.storage) throw ERRORS.FILE_NOT_FOUND
  const { path } = upload.storage
  const validators = validatorsOf(site, id, await stat(path))
  headers.append('Access-Control-Expose-Headers', EXPOSED)
  headers.set('ETag', validators.etag)
  headers.set('Last-Modified', validators.lastModified)
  if (isNotModified(req, validators)) return new Response(null, { status: 304, headers })
  const { contentType, contentDisposition } = handlers.GET.filterContentType(upload)
  headers.set('Content-Type', contentType)
  headers.set('Content-Disposition', contentDisposition)
  headers.set('Accept-Ranges', 'bytes')
  for (const [name, value] of Object.entries(reprDigestOf(site, upload))) headers.set(name, value)
  headers.set('X-Content-Type-Options', 'nosniff')
  const range = isRangeWanted(req, validators) ? readRange(req.headers.get('range'), upload.size) : undefined
  if (range === 'unsatisfiable') {
    headers.set('Content-Range', `bytes */${upload.size}`)
    return new Response(null, { status: 416, headers })
  }
  const { start, end } = range ?? { start: 0, end: upload.size }
  headers.set('Content-Length', String(end - start))
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${upload.size}`)
  const status = range ? 206 : 200
  if (end === start) return new Response(null, { status, headers })
  return new Response(streamOf(await open(path, 'r'), { start, end }), { status, headers })
}

/** Of a file that was committed at another store. */
function urlElsewhere(site: Site, id: string): string | null {
  const group = site.groups.byFileId(id)
  return group?.state === 'committed' && group.home !== site.storeId ? group.url : null
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

function streamOf(
  file: FileHandle,
  range: { readonly start: number; readonly end: number },
): ReadableStream<Uint8Array> {
  const pieces = readPieces(file, range)
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next()
          if (!done) return controller.enqueue(value)
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
