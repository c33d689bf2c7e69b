import { EVENTS, type Lock, Metadata, Upload } from '@tus/server'
import { Refusal } from '../groups/refusal.js'
import { withMark } from './concat-mark.js'
import { readParts } from './final-parts.js'
import { maxSizeOf, runFinishHook, runIncoming, runNaming, runUploadCreate } from './hooks.js'
import { isPartialId } from './partial-uploads.js'
import { hasBody } from './request-body.js'
import type { Exchange, PlainSite } from './site.js'

/** Final uploads that a repeated creation is answered from (guess; a client repeats within minutes). */
const MAX_REMEMBERED = 1000

/** A final upload that was made, and what the finish hook said if it refused. */
interface MadeFinal {
  readonly id: string
  refusal?: unknown
}

/** By their parts: a repeat of a creation whose answer was lost makes no second file. */
export class MadeFinals {
  readonly #made = new Map<string, MadeFinal>()

  get(parts: readonly string[]): MadeFinal | undefined {
    return this.#made.get(parts.join(' '))
  }

  add(parts: readonly string[], id: string): MadeFinal {
    const [oldest] = this.#made.keys()
    if (this.#made.size >= MAX_REMEMBERED && oldest !== undefined) this.#made.delete(oldest)
    const made = { id }
    this.#made.set(parts.join(' '), made)
    return made
  }
}

/** One file of several partial uploads, which end with it: `Upload-Concat: final;<urls>`. */
export async function createFinal(site: PlainSite, exchange: Exchange, concat: string): Promise<Response> {
  const { req } = exchange
  // The Client MUST NOT include the Upload-Length header in the final upload creation (tus 1.0)
  if (req.headers.has('upload-length') || req.headers.has('upload-defer-length') || hasBody(req)) {
    throw new Refusal('bad-request', 'a final upload is created without a length and without a body')
  }
  const parts = readParts(site, req, concat)
  const whole = parts.find((id) => !isPartialId(id))
  if (whole !== undefined) throw new Refusal('bad-request', 'Upload-Concat names an upload that is not a partial one')
  for (const id of parts) await runIncoming(site, req, id)
  const locks = await lockAll(site, exchange, parts)
  try {
    return (await repeated(site, exchange, parts)) ?? (await concatenate(site, exchange, { concat, parts }))
  } finally {
    for (const lock of locks) await lock.unlock()
  }
}

async function repeated(site: PlainSite, exchange: Exchange, parts: readonly string[]): Promise<Response | undefined> {
  const made = site.finals.get(parts)
  const upload = made && (await site.plain.getUpload(made.id).catch(() => undefined))
  if (!upload) return undefined
  await runIncoming(site, exchange.req, upload.id)
  if (made.refusal !== undefined) throw made.refusal
  return answer(site, exchange, { id: upload.id })
}

async function concatenate(
  site: PlainSite,
  exchange: Exchange,
  final: { readonly concat: string; readonly parts: readonly string[] },
): Promise<Response> {
  const { req } = exchange
  const { POST } = site.server.handlers
  let size = 0
  for (const id of final.parts) size += await sizeOfPart(site, id)
  const upload = await consentTo(site, exchange, size)
  const kept = new Upload({ id: upload.id, size, offset: 0, metadata: withMark(upload.metadata, final.concat) })
  await site.plain.create(kept)
  if (kept.storage) upload.storage = kept.storage
  POST.emit(EVENTS.POST_CREATE, req, upload, POST.generateUrl(req, upload.id))
  await fill(site, upload, final.parts)
  const made = site.finals.add(final.parts, upload.id)
  try {
    const result = await runFinishHook(site, req, upload)
    const reply = answer(site, exchange, { id: upload.id, ...result })
    POST.emit(EVENTS.POST_FINISH, req, reply, upload)
    return reply
  } catch (error) {
    made.refusal = error
    throw error
  } finally {
    for (const id of final.parts) await site.plain.remove(id).catch((err) => site.log.warn({ err }, 'a part stays'))
  }
}

async function sizeOfPart(site: PlainSite, id: string): Promise<number> {
  const part = await site.plain.getUpload(id)
  if (part.size === part.offset) return part.offset
  throw new Refusal('unfinished-part', 'Upload-Concat names an upload that is not finished')
}

/** The name, the largest size and the user's consent, as for any upload. Nothing is kept yet. */
async function consentTo(site: PlainSite, exchange: Exchange, size: number): Promise<Upload> {
  const { req } = exchange
  const text = req.headers.get('upload-metadata')
  const metadata = text === null ? undefined : Metadata.parse(text)
  const id = await runNaming(site, req, metadata)
  const limit = await maxSizeOf(site, req, id)
  if (limit !== null && size > limit) throw new Refusal('too-large', `a file has at most ${limit} bytes here`)
  await runIncoming(site, req, id)
  await site.plain.refuseTaken(id)
  const upload = new Upload({ id, size, offset: 0, ...(metadata ? { metadata } : {}) })
  upload.metadata = (await runUploadCreate(site, req, upload)) ?? upload.metadata
  return upload
}

/** All bytes of the parts, or no upload. */
async function fill(site: PlainSite, upload: Upload, parts: readonly string[]): Promise<void> {
  try {
    upload.offset = await site.plain.concatenate(upload.id, parts)
    if (upload.offset !== upload.size) throw new Error('the parts changed while they were read')
  } catch (error) {
    await site.plain.remove(upload.id).catch(() => {})
    throw error
  }
}

function answer(
  site: PlainSite,
  exchange: Exchange,
  made: { id: string; status_code?: number; headers?: Record<string, string | number>; body?: string },
): Response {
  const { status_code: status = 201 } = made
  const headers = new Headers(exchange.headers)
  for (const [name, value] of Object.entries(made.headers ?? {})) headers.set(name, String(value))
  if (status === 201 || (status >= 300 && status < 400)) {
    headers.set('Location', site.server.handlers.POST.generateUrl(exchange.req, made.id))
  }
  const body = status === 204 ? null : (made.body ?? '')
  if (body !== null) headers.set('Content-Length', String(Buffer.byteLength(body)))
  return new Response(body, { status, headers })
}

/** In one order for everybody, so that two requests never wait for each other. */
async function lockAll(site: PlainSite, exchange: Exchange, ids: readonly string[]): Promise<readonly Lock[]> {
  const { locker: option } = site.server.options
  const locker = await (typeof option === 'function' ? option(exchange.req) : option)
  const locks: Lock[] = []
  try {
    for (const id of [...ids].sort()) {
      const lock = locker.newLock(id)
      await lock.lock(exchange.context.signal, () => exchange.context.cancel())
      locks.push(lock)
    }
    return locks
  } catch (error) {
    for (const lock of locks) await lock.unlock()
    throw error
  }
}
