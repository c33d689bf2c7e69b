import * as v from 'valibot'
import type { HeaderSource } from './options.js'
import { nameOfAddress } from './ports.js'
import { quote } from './quote.js'
import { toError, UploadError } from './upload-error.js'

export interface MirrorOptions {
  readonly endpoint: string
  /** Sent to this mirror only. A mirror given as a string gets none of the primary's. */
  readonly headers?: HeaderSource
  /**
   * By which IP address of this machine requests go there, such as that of another network (Node). The primary's own
   * endpoint with one is another way to the primary, and no mirror.
   */
  readonly localAddress?: string
}

/** Whether it is the machine's shows when it is used. */
const IpAddress = v.pipe(v.string(), v.ip())

export type MirrorList = readonly (string | MirrorOptions)[]

/** What is known of the file when its mirrors are chosen. */
export interface FileFacts {
  /** Bytes. */
  readonly sizeBytes: number
  readonly contentType: string | undefined
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Chooses the mirrors of one file, such as those of its country. Asked at each start of the upload, which does not wait for
 * it: one that throws is the warning `mirrors-failed`, and the file goes to the primary alone; an answer that is no list of
 * mirrors ends the upload with `bad-option`.
 */
export type MirrorsOfFile = (file: FileFacts) => MirrorList | Promise<MirrorList>

/** @throws UploadError `mirrors-failed` when it throws, `bad-option` for what it answers */
export type ResolvedMirrorsOfFile = (file: FileFacts) => Promise<readonly MirrorOptions[]>

interface Around {
  readonly endpoint: string
  /** What relative URLs are relative to. */
  readonly base: string | undefined
}

/** @throws UploadError `bad-option` */
export function resolveMirrors(
  given: MirrorList | MirrorsOfFile | undefined,
  around: Around,
): readonly MirrorOptions[] | ResolvedMirrorsOfFile {
  if (typeof given !== 'function') return parseMirrors(given ?? [], around)
  return async (file) => parseMirrors(await ask(given, file), around)
}

async function ask(given: MirrorsOfFile, file: FileFacts): Promise<unknown> {
  try {
    return await given(file)
  } catch (cause) {
    throw new UploadError('mirrors-failed', `the mirrors function failed: ${toError(cause).message}`, { cause })
  }
}

function parseMirrors(given: unknown, { endpoint, base }: Around): readonly MirrorOptions[] {
  if (!Array.isArray(given))
    throw new UploadError('bad-option', `mirrors must be a list of URLs or { endpoint, headers }, not ${quote(given)}`)
  const mirrors = given.map((each: string | MirrorOptions | null) => {
    const mirror = typeof each === 'object' && each !== null ? each : { endpoint: each }
    if ('localAddress' in mirror) refuseLocalAddress(mirror.localAddress)
    return { ...mirror, endpoint: parseEndpoint(mirror.endpoint, { name: 'mirrors', base }) }
  })
  refuseDuplicates(endpoint, mirrors)
  return mirrors
}

function refuseLocalAddress(localAddress: unknown): void {
  if (localAddress === undefined || v.is(IpAddress, localAddress)) return
  const message = `mirrors: localAddress must be an IP address of this machine, not ${quote(localAddress)}`
  throw new UploadError('bad-option', message)
}

/** @throws UploadError `no-endpoint`, `bad-option` */
export function parseEndpoint(value: unknown, { name, base }: { name: string; base: string | undefined }): string {
  if (name === 'endpoint' && (value === undefined || value === null || value === '')) {
    throw new UploadError(
      'no-endpoint',
      'no endpoint: set the option endpoint to the URL of your tus server, such as https://up.example.com/files',
    )
  }
  const url = typeof value === 'string' ? tryUrl(value, base) : null
  if (url && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '')
  throw new UploadError(
    'bad-option',
    `${name}: ${quote(value)} is no http or https URL; give the endpoint of a tus server`,
  )
}

function tryUrl(value: string, base: string | undefined): URL | null {
  try {
    return new URL(value, base)
  } catch {
    return null
  }
}

function refuseDuplicates(endpoint: string, mirrors: readonly MirrorOptions[]): void {
  const seen = new Set([endpoint])
  for (const mirror of mirrors) {
    const name = nameOfAddress(mirror)
    if (name === endpoint) {
      throw new UploadError(
        'bad-option',
        `mirrors lists the primary ${endpoint} again; remove it, a mirror is another server`,
      )
    }
    if (seen.has(name)) throw new UploadError('bad-option', `mirrors lists ${name} twice; remove one`)
    seen.add(name)
  }
}
