import type { ServerOptions } from '@tus/server'
import { HEADERS } from '@tus/utils'

/** What @tus/server sets on every method but GET, by the same options. */
export function setCors(options: ServerOptions, origin: string | null, headers: Headers): void {
  const allowed = allowedOrigin(options, origin)
  if (allowed) headers.set('Access-Control-Allow-Origin', allowed)
  if (options.allowedCredentials === true) headers.set('Access-Control-Allow-Credentials', 'true')
  headers.set('Access-Control-Expose-Headers', [...HEADERS, ...(options.exposedHeaders ?? [])].join(', '))
  allowTiming(headers)
}

/** Who may read an answer may also know how it came: without it a page does not learn that its server speaks HTTP/2. */
export function allowTiming(headers: Headers): void {
  const allowed = headers.get('Access-Control-Allow-Origin')
  if (allowed) headers.set('Timing-Allow-Origin', allowed)
}

function allowedOrigin(options: ServerOptions, origin: string | null): string | null {
  const { allowedOrigins } = options
  if (typeof allowedOrigins === 'function') return origin !== null && allowedOrigins(origin) ? origin : null
  if (!allowedOrigins) return '*'
  return origin !== null && allowedOrigins.includes(origin) ? origin : (allowedOrigins[0] ?? null)
}
