import type { ServerOptions } from '@tus/server'
import { HEADERS } from '@tus/utils'

/** What @tus/server sets on every method but GET, by the same options. */
export function setCors(options: ServerOptions, origin: string | null, headers: Headers): void {
  const allowed = allowedOrigin(options, origin)
  if (allowed) headers.set('Access-Control-Allow-Origin', allowed)
  if (options.allowedCredentials === true) headers.set('Access-Control-Allow-Credentials', 'true')
  headers.set('Access-Control-Expose-Headers', [...HEADERS, ...(options.exposedHeaders ?? [])].join(', '))
}

function allowedOrigin(options: ServerOptions, origin: string | null): string | null {
  const { allowedOrigins } = options
  if (typeof allowedOrigins === 'function') return origin !== null && allowedOrigins(origin) ? origin : null
  if (!allowedOrigins) return '*'
  return origin !== null && allowedOrigins.includes(origin) ? origin : (allowedOrigins[0] ?? null)
}
