import type { ServerOptions, Upload } from '@tus/server'
import { EVENTS, Uid } from '@tus/utils'
import { Refusal } from '../../groups/refusal.js'
import type { HomeFacts, OpenRequest } from '../../peers/peers.js'
import { uploadOf } from '../../store/upload-of.js'
import type { TusRequest } from '../../tus-request.js'
import type { Site } from './site.js'

type HookSite = Pick<Site, 'server'>
type EventSite = Pick<Site, 'server' | 'log'>

/** What @tus/server takes as a refusal: an object or error with a status. Everything else is a fault. */
function hookRefusal(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('status_code' in error)) return error
  const status = Number(error.status_code)
  if (!Number.isInteger(status) || status < 400 || status > 599) return error
  const body = 'body' in error && typeof error.body === 'string' ? error.body : 'refused'
  return new Refusal('refused-by-hook', body.trim(), { status, cause: error })
}

/** What the user's function answers; what it throws with a status is a refusal. */
export async function runHook<T>(hook: () => T | Promise<T>): Promise<T> {
  try {
    return await hook()
  } catch (error) {
    throw hookRefusal(error)
  }
}

/** The user's gate, on everything of ours as on everything of @tus/server's. */
export async function runIncoming(site: HookSite, req: TusRequest, fileId: string): Promise<void> {
  await runHook(() => site.server.options.onIncomingRequest?.(req, fileId))
}

/**
 * On the home, once per file and before its bytes: its name, its largest size, the user's consent. `gate` lets the
 * request itself in, under the file's id, and refuses an id that is taken.
 */
export async function runCreate(
  site: Site,
  request: OpenRequest,
  gate: (fileId: string) => Promise<void>,
): Promise<Omit<HomeFacts, 'url'>> {
  const { req, header } = request
  const { options } = site.server
  const metadata = request.metadata === null ? undefined : { ...request.metadata }
  const naming = options.namingFunction
  // @tus/server puts its own naming function where the user gave none
  const fileId = naming && naming !== Uid.rand ? await runNaming(site, req, metadata) : header.group
  const limit = await maxSizeOf(site, req, fileId)
  if (limit !== null && header.size !== undefined && header.size > limit) {
    throw new Refusal('too-large', `a file has at most ${limit} bytes here`, {
      headers: { 'Upload-Limit': `max-size=${limit}` },
    })
  }
  await gate(fileId)
  const upload = uploadOf({ fileId, size: header.size ?? null, offset: 0, metadata: request.metadata })
  const patched = await runUploadCreate(site, req, upload)
  if (patched) upload.metadata = patched
  emitEvent(site, EVENTS.POST_CREATE, [req, upload, site.server.handlers.POST.generateUrl(req, fileId)])
  return { fileId, maxSize: limit, metadata: patched ?? request.metadata }
}

export async function maxSizeOf(site: HookSite, req: TusRequest, fileId: string | null): Promise<number | null> {
  const { maxSize } = site.server.options
  const limit = typeof maxSize === 'function' ? await runHook(() => maxSize(req, fileId)) : maxSize
  return limit && limit > 0 ? limit : null
}

/** The file's id, as the user or @tus/server names it. */
export function runNaming(site: HookSite, req: TusRequest, metadata: Upload['metadata']): Promise<string> {
  const { namingFunction = Uid.rand } = site.server.options
  return runHook(() => namingFunction(req, metadata))
}

/** The user's consent to a new file. Returns the metadata that it has from now on, if another. */
export async function runUploadCreate(
  site: HookSite,
  req: TusRequest,
  upload: Upload,
): Promise<Upload['metadata'] | undefined> {
  return (await runHook(() => site.server.options.onUploadCreate?.(req, upload)))?.metadata
}

type FinishAnswer = Awaited<ReturnType<NonNullable<ServerOptions['onUploadFinish']>>>

/** The file is whole: the user's finish hook. Returns what it wants in the answer. */
export async function runFinishHook(site: HookSite, req: TusRequest, upload: Upload): Promise<FinishAnswer> {
  return (await runHook(() => site.server.options.onUploadFinish?.(req, upload))) ?? {}
}

/** As `runFinishHook`, for a commit, whose answer is JSON: returns the headers. */
export async function runFinish(site: EventSite, req: TusRequest, upload: Upload): Promise<Record<string, string>> {
  const result = await runFinishHook(site, req, upload)
  const headers = Object.entries(result.headers ?? {}).map(([name, value]): [string, string] => [name, String(value)])
  emitEvent(site, EVENTS.POST_FINISH, [req, new Response(null, { status: 201, headers }), upload])
  return Object.fromEntries(headers)
}

/** An event of @tus/server, for a file that came in partitions. What a listener throws is its own affair. */
export function emitEvent(site: EventSite, event: string, facts: readonly unknown[]): void {
  try {
    site.server.handlers.POST.emit(event, ...facts)
  } catch (err) {
    site.log.error({ err, event }, 'a listener failed')
  }
}
