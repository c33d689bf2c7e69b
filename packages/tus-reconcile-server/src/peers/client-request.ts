import type { TusRequest } from '../tus-request.js'

/** Headers of one hop, and those that belong to a body that does not travel along. */
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
  'content-type',
])

/** What the user's hooks at the home may want to see of a client that came through a mirror. */
export function forwardedHeaders(req: TusRequest): [string, string][] {
  return [...req.headers].filter(([name]) => !NOT_FORWARDED.has(name.toLowerCase()))
}

/** The client's request as the home would have seen it: at `endpoint`, with its headers and no body. */
export function clientRequest(endpoint: string, headers: readonly (readonly [string, string])[]): TusRequest {
  const all = new Headers()
  for (const [name, value] of headers) all.append(name, value)
  all.set('host', new URL(endpoint).host)
  return new Request(endpoint, { method: 'POST', headers: all })
}
