import type { Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { ERRORS, type Upload } from '@tus/utils'
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
  setCors(site.server.options, req.headers.get('origin'), headers)
  headers.set(HEADER.storeId, site.storeId)
  if (!id) throw ERRORS.FILE_NOT_FOUND
  await runIncoming(site, req, id)
  const url = urlElsewhere(site, id)
  if (url !== null) headers.set(HEADER.upload, url)
  const upload = await site.plain.getUpload(id)
  if (upload.offset !== upload.size || !upload.storage) throw ERRORS.FILE_NOT_FOUND
  const file = await open(upload.storage.path, 'r').catch(refuseUnopened)
  let body: ReadableStream<Uint8Array> | null = null
  try {
    const { status, start, end } = describe(site, exchange, { upload, stats: await file.stat() })
    if (start < end) body = streamOf(file, { start, end })
    return new Response(body, { status, headers })
  } finally {
    if (!body) await file.close()
  }
}

/** The store knew of it a moment ago: a file that is not there was removed since. */
function refuseUnopened(error: NodeJS.ErrnoException): never {
  throw error.code === 'ENOENT' ? ERRORS.FILE_NO_LONGER_EXISTS : error
}

/** Sets the headers of the answer. Returns its status, and which bytes are its body: none where these meet. */
function describe(
  site: Site,
  { req, headers }: Exchange,
  file: { readonly upload: Upload; readonly stats: Stats },
): { status: number; start: number; end: number } {
  const { upload, stats } = file
  const { size = 0 } = upload
  const validators = validatorsOf(site, upload.id, stats)
  headers.append('Access-Control-Expose-Headers', EXPOSED)
  headers.set('ETag', validators.etag)
  headers.set('Last-Modified', validators.lastModified)
  if (isNotModified(req, validators)) return { status: 304, start: 0, end: 0 }
  const { contentType, contentDisposition } = site.server.handlers.GET.filterContentType(upload)
  headers.set('Content-Type', contentType)
  headers.set('Content-Disposition', contentDisposition)
  headers.set('Accept-Ranges', 'bytes')
  for (const [name, value] of Object.entries(reprDigestOf(site, upload))) headers.set(name, value)
  headers.set('X-Content-Type-Options', 'nosniff')
  const range = isRangeWanted(req, validators) ? readRange(req.headers.get('range'), size) : undefined
  if (range === 'unsatisfiable') {
    headers.set('Content-Range', `bytes */${size}`)
    return { status: 416, start: 0, end: 0 }
  }
  const { start, end } = range ?? { start: 0, end: size }
  headers.set('Content-Length', String(end - start))
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${size}`)
  return { status: range ? 206 : 200, start, end }
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
