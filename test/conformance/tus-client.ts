import { createHash } from 'node:crypto'
import { BYTES, type Reply, send } from './wire-client.js'

/** What every request of tus 1.0 says. */
export const TUS = { 'Tus-Resumable': '1.0.0' }

type Headers = Readonly<Record<string, string | number>>

/** A request of a plain tus client, with exactly the headers that are given. */
export function tus(
  method: string,
  url: string,
  headers: Headers = {},
  body?: Uint8Array<ArrayBuffer>,
): Promise<Reply> {
  const texts = Object.entries(headers).map(([name, value]) => [name, String(value)])
  return send(url, { method, headers: { ...TUS, ...Object.fromEntries(texts) }, ...(body ? { body } : {}) })
}

/** Creates an upload, with bytes if they come along. Returns its URL. */
export async function created(endpoint: string, headers: Headers, body?: Uint8Array<ArrayBuffer>): Promise<string> {
  const reply = await tus('POST', endpoint, { ...(body ? { 'Content-Type': BYTES } : {}), ...headers }, body)
  const location = reply.headers.get('location')
  if (reply.status !== 201 || location === null) throw new Error(`creation: ${reply.status} ${reply.bytes}`)
  return new URL(location, endpoint).href
}

export function patch(
  url: string,
  offset: number,
  body: Uint8Array<ArrayBuffer>,
  headers: Headers = {},
): Promise<Reply> {
  return tus('PATCH', url, { 'Upload-Offset': offset, 'Content-Type': BYTES, ...headers }, body)
}

export async function offsetAt(url: string): Promise<number> {
  return Number((await tus('HEAD', url)).headers.get('upload-offset'))
}

/** As `Upload-Checksum` says it. */
export function checksumOf(algorithm: string, bytes: Uint8Array): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`
}
