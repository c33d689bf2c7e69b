import { BLOCK_SIZE, HEADER, RECONCILE_EXTENSION } from 'tus-reconcile-protocol'
import { CHECKSUM_ALGORITHMS } from '../bodies/checksum.js'
import { maxSizeOf } from './exchange/hooks.js'
import type { Exchange, Site } from './exchange/site.js'
import { uploadLimit } from './exchange/upload-limit.js'

/** Chromium's own limit: more is cut to it. */
const MAX_AGE_S = 7200

/** What a browser may ask of a download. */
const DOWNLOAD_HEADERS = 'Range, If-Range, If-None-Match, If-Modified-Since'

/** Adds to @tus/server's answer what this extension is and can. */
export async function announce(site: Site, exchange: Exchange, answer: Response): Promise<Response> {
  const headers = new Headers(answer.headers)
  headers.set('Tus-Extension', [...site.plain.extensions, RECONCILE_EXTENSION].join(','))
  headers.set('Tus-Checksum-Algorithm', CHECKSUM_ALGORITHMS)
  headers.set('Access-Control-Allow-Methods', 'POST, HEAD, PATCH, OPTIONS, DELETE, GET')
  headers.append('Access-Control-Allow-Headers', DOWNLOAD_HEADERS)
  headers.set('Access-Control-Max-Age', String(MAX_AGE_S))
  headers.set(HEADER.storeId, site.storeId)
  headers.set(HEADER.blockSize, String(BLOCK_SIZE))
  if (site.commitAt === 'any') headers.set(HEADER.commit, site.commitAt)
  const limit = uploadLimit(site, await maxSizeOf(site, exchange.req, null))
  if (limit !== undefined) headers.set(HEADER.limit, limit)
  return new Response(null, { status: 204, headers })
}
