import { EVENTS, type Lock, Metadata, Upload } from '@tus/server'
import { requestBody, sentLength } from '../../bodies/request-body.js'
import { Refusal } from '../../groups/refusal.js'
import { splitMark, withMark } from '../../plain/concat-mark.js'
import type { MadeFinal } from '../../plain/made-finals.js'
import { isPartialId } from '../../plain/partial-uploads.js'
import type { TusRequest } from '../../tus-request.js'
import { maxSizeOf, runFinishHook, runIncoming, runNaming, runUploadCreate } from '../exchange/hooks.js'
import type { Exchange, PlainSite } from '../exchange/site.js'
import { STATUS_OF } from '../exchange/statuses.js'
import { readParts } from './final-parts.js'

/** One file of several partial uploads, which end with it: `Upload-Concat: final;<urls>`. */
export async function createFinal(site: PlainSite, exchange: Exchange, concat: string): Promise<Response> {
  const { req } = exchange
  // The Client MUST NOT include the Upload-Length header in the final upload creation (tus 1.0)
  const hasLength = req.headers.has('upload-length') || req.headers.has('upload-defer-length')
  if (hasLength || (await sentLength(req, requestBody(req), site.bounds.bodyTimeoutMs)) !== 0) {
    throw new Refusal('bad-request', 'a final upload is created without a length and without a body')
  }
  const parts = readParts(site, req, concat)
  const whole = parts.find((id) => !isPartialId(id))
  if (whole !== undefined) throw new Refusal('bad-request', 'Upload-Concat names an upload that is not a partial one')
  for (const id of parts) await runIncoming(site, req, id)
  return site.plain.parts.using(parts, async () => {
    const locks = await lockAll(site, exchange, parts)
    try {
      return (await repeated(site, exchange, parts)) ?? (await concatenate(site, exchange, { concat, parts }))
    } finally {
      for (const lock of locks) await lock.unlock()
    }
  })
}

async function repeated(site: PlainSite, exchange: Exchange, parts: readonly string[]): Promise<Response | undefined> {
  const made = site.finals.get(parts)
  if (!made || !(await isStill(site, made))) return undefined
  await runIncoming(site, exchange.req, made.id)
  if (made.refusal) throw new Refusal('refused-by-hook', made.refusal.message, { status: made.refusal.status })
  return answer(site, exchange, { id: made.id })
}

/** Another upload may have come to its name. */
async function isStill(site: PlainSite, made: MadeFinal): Promise<boolean> {
  const found = await site.plain.find(made.id).catch(() => undefined)
  return found !== undefined && found.concat === splitMark(made.metadata).concat
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
  const { id } = upload
  const metadata = withMark(upload.metadata, final.concat)
  const kept = new Upload({ id, size, offset: 0, metadata })
  const url = POST.generateUrl(req, id)
  const createdAt = kept.creation_date ?? new Date().toISOString()
  const made = { id, url, size, metadata, createdAt, parts: [...final.parts], isFinished: false }
  try {
    await site.plain.concatenate(kept, final.parts, () => site.finals.put(made))
  } catch (error) {
    await site.finals.forget(final.parts).catch(() => {})
    throw error
  }
  upload.offset = size
  if (kept.storage) upload.storage = kept.storage
  POST.emit(EVENTS.POST_CREATE, req, upload, url)
  const result = await finishFinal(site, { req, upload, made })
  const reply = answer(site, exchange, { id, ...result })
  POST.emit(EVENTS.POST_FINISH, req, reply, upload)
  return reply
}

/** The finish hook, then the end of the parts. What the hook refused with is told again to whoever repeats. */
export async function finishFinal(
  site: PlainSite,
  final: { readonly req: TusRequest; readonly upload: Upload; readonly made: MadeFinal },
): ReturnType<typeof runFinishHook> {
  const { req, upload, made } = final
  let refusal: MadeFinal['refusal']
  try {
    return await runFinishHook(site, req, upload)
  } catch (error) {
    refusal = { status: 500, message: 'the finish hook of this upload failed' }
    if (error instanceof Refusal) refusal = { status: error.status ?? STATUS_OF[error.code], message: error.message }
    throw error
  } finally {
    for (const id of made.parts) await site.plain.remove(id).catch((err) => site.log.warn({ err }, 'a part stays'))
    const finished = { ...made, isFinished: true, refusal }
    await site.finals.put(finished).catch((err) => site.log.warn({ err }, 'a restart will finish this upload again'))
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
