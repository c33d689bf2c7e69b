import { randomUUID } from 'node:crypto'
import type { TusRequest } from '../../tus-request.js'
import { requestKind } from './request-kind.js'
import type { Site } from './site.js'

export const REQUEST_ID = 'X-Request-ID'

/** What a proxy or client may call a request: short, and nothing that a log or header could mistake for its own. */
const VALID_ID = /^[A-Za-z0-9._~:+/=-]{1,128}$/
/** More of a path is no use to anybody. */
const MAX_PATH = 256

/** The site as one request sees it: what it logs carries the request's own name, which its answer tells. */
export function siteOfRequest(site: Site, req: TusRequest, headers: Headers): Site {
  const given = req.headers.get(REQUEST_ID)
  const requestId = given !== null && VALID_ID.test(given) ? given : randomUUID()
  headers.set(REQUEST_ID, requestId)
  return { ...site, log: site.log.child({ requestId }) }
}

/** Logs a request with its status and time when it has been answered. No query and no header is logged. */
export async function recorded(site: Site, req: TusRequest, run: () => Promise<Response>): Promise<Response> {
  const began = performance.now()
  let status = 500
  try {
    const answer = await run()
    status = answer.status
    return answer
  } catch (error) {
    status = thrownStatus(error)
    throw error
  } finally {
    const ms = performance.now() - began
    const kind = requestKind(req)
    site.metrics.answered(kind, ms / 1000)
    const path = URL.canParse(req.url) ? new URL(req.url).pathname.slice(0, MAX_PATH) : ''
    site.log.info({ method: req.method, path, kind, status, ms: Math.round(ms * 10) / 10 }, 'request')
  }
}

function thrownStatus(error: unknown): number {
  return typeof error === 'object' && error !== null && 'status_code' in error ? Number(error.status_code) : 500
}
