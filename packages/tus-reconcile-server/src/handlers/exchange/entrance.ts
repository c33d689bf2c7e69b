import type { IncomingMessage } from 'node:http'
import type { Server } from '@tus/server'
import { TUS_RESUMABLE, TUS_VERSION } from '@tus/utils'
import { Refusal } from '../../groups/refusal.js'
import type { TusRequest } from '../../tus-request.js'

const OVERRIDE = 'x-http-method-override'
const VERSION = 'tus-resumable'

/** What a POST may stand for. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])
/** They need not say which version of tus they speak. */
const UNVERSIONED: ReadonlySet<string> = new Set(['GET', 'OPTIONS'])

/**
 * What tus 1.0 asks of a request before its method is looked at. A POST that stands for another method becomes a
 * request of that method, before anything else sees it. A version of tus that is not spoken here is taken for none,
 * which @tus/server answers with 412, CORS included; the answer says which version is.
 */
export function mountEntrance(server: Server): void {
  const handle = server.handle.bind(server)
  server.handle = async (req, res) => {
    const method = meantMethod(req.method, req.headers[OVERRIDE])
    if (method !== req.method) meanMethod(req, method)
    if (speaksAnother(method, req.headers[VERSION])) {
      delete req.headers[VERSION]
      res.setHeader('Tus-Version', TUS_VERSION.join(','))
    }
    return handle(req, res)
  }
  const handleWeb = server.handleWeb.bind(server)
  server.handleWeb = async (req) => {
    const method = meantMethod(req.method, req.headers.get(OVERRIDE))
    if (method !== req.method) meanMethod(req, method)
    if (!speaksAnother(method, req.headers.get(VERSION))) return handleWeb(req)
    const headers = new Headers(req.headers)
    headers.delete(VERSION)
    const answer = await handleWeb(new Request(req.url, { method, headers }))
    answer.headers.set('Tus-Version', TUS_VERSION.join(','))
    return answer
  }
}

/** A POST that stands for a method that nobody knows is nothing that may be created. */
export function unknownMethod(req: TusRequest): Refusal | undefined {
  const named = req.headers.get(OVERRIDE)
  if (named === null || named === req.method) return undefined
  return new Refusal('bad-request', `X-HTTP-Method-Override is one of ${[...METHODS].join(', ')}, on a POST`)
}

function meantMethod<Method extends string | undefined>(
  method: Method,
  named: string | readonly string[] | null | undefined,
): Method | string {
  return method === 'POST' && typeof named === 'string' && METHODS.has(named) ? named : method
}

/** On the very request: what others have put beside it stays. */
function meanMethod(req: IncomingMessage | Request, method: string | undefined): void {
  Object.defineProperty(req, 'method', { value: method, configurable: true, enumerable: true, writable: true })
}

function speaksAnother(method: string | undefined, version: string | readonly string[] | null | undefined): boolean {
  return !UNVERSIONED.has(method ?? '') && version !== TUS_RESUMABLE
}
