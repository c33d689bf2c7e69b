import type { Server } from '@tus/server'
import { formatLoad, HEADER } from 'tus-reconcile-protocol'
import { requestBody } from '../bodies/request-body.js'
import type { SignatureVerifier } from '../peers/signature.js'
import { refuseMark } from '../plain/concat-mark.js'
import type { PlainStore } from '../plain/plain-store.js'
import type { TusRequest } from '../tus-request.js'
import { allowTiming } from './cors.js'
import { refuseWhenBusy } from './exchange/admission.js'
import { asRefusal, refusalAnswer } from './exchange/answer.js'
import { refuseConsumedBody } from './exchange/consumed-body.js'
import { mountEntrance, unknownMethod } from './exchange/entrance.js'
import { requestKind } from './exchange/request-kind.js'
import { recorded, siteOfRequest } from './exchange/request-log.js'
import type { Exchange, Site } from './exchange/site.js'
import { deleteFile, headFile, headFinished, patchFile } from './file-request.js'
import { finalOfSessions } from './final-of-sessions.js'
import { getFile } from './get-file.js'
import { postOperation } from './operations/operations.js'
import { announce } from './options.js'
import { postPeerMessage } from './peer-envelope.js'
import { type Handler, preparePlain, withoutDetails } from './plain/plain-mount.js'
import { asResponse, type Original, routePlainPost, routePlainUpload } from './plain/plain-routes.js'
import { deleteSession } from './sessions/session-delete.js'
import { headSession } from './sessions/session-head.js'
import { patchSession } from './sessions/session-patch.js'
import { postSession } from './sessions/session-post.js'
import { sessionIdsOf } from './sessions/session-request.js'

type Method = 'POST' | 'PATCH' | 'HEAD' | 'OPTIONS' | 'DELETE' | 'GET'
type Route = (site: Site, exchange: Exchange, original: Original) => Promise<Response>

const METHODS: readonly Exclude<Method, 'POST'>[] = ['PATCH', 'HEAD', 'OPTIONS', 'DELETE', 'GET']
const ROUTES: Readonly<Record<Exclude<Method, 'POST'>, Route>> = {
  PATCH: (site, exchange, original) =>
    routeUpload(site, exchange, { session: patchSession, file: patchFile, original }),
  HEAD: (site, exchange, original) => routeUpload(site, exchange, { session: headSession, file: headFile, original }),
  DELETE: (site, exchange, original) =>
    routeUpload(site, exchange, { session: deleteSession, file: deleteFile, original }),
  OPTIONS: async (site, exchange, original) => announce(site, exchange, await original()),
  GET: routeGet,
}

/**
 * Puts our routes before the handlers of `server`. They stay when the extension closes: without them a session's
 * creation would become a plain upload.
 */
export function mountRoutes(
  server: Server,
  site: Promise<Site>,
  parts: { readonly verifier: SignatureVerifier; readonly plain: PlainStore },
): void {
  const { verifier, plain } = parts
  mountEntrance(server)
  preparePlain({ server, plain })
  for (const method of METHODS) wrap(server.handlers[method], site, ROUTES[method])
  wrap(server.handlers.POST, site, (here, exchange, original) => routePost(here, exchange, { original, verifier }))
}

function wrap(handler: Handler, site: Promise<Site>, route: Route): void {
  const send = handler.send.bind(handler)
  handler.send = async (req, context, headers = new Headers()) => {
    const here = siteOfRequest(await site, req, headers)
    headers.set(HEADER.load, formatLoad(here.load.load))
    allowTiming(headers)
    const exchange = { req, context, headers }
    const original = async () => asResponse(await send(req, context, headers))
    return recorded(here, req, () =>
      withoutDetails(here, exchange, async () => {
        if (here.closing.aborted || (here.draining.aborted && bringsBytes(req))) return closed(headers)
        return (await refuseConsumedBody(here, exchange)) ?? route(here, exchange, original)
      }),
    )
  }
}

/** Creations and bodies; operations still go on while others' bodies end. */
function bringsBytes(req: TusRequest): boolean {
  const kind = requestKind(req)
  return kind === 'append' || kind === 'create'
}

function closed(headers: Headers): Response {
  headers.set('Retry-After', '1')
  headers.set('Connection', 'close')
  return new Response('this server is stopping\n', { status: 503, headers })
}

async function routePost(
  site: Site,
  exchange: Exchange,
  to: { readonly original: Original; readonly verifier: SignatureVerifier },
): Promise<Response> {
  const unknown = unknownMethod(exchange.req)
  if (unknown) {
    return refusalAnswer(site, exchange, { refusal: asRefusal(site, unknown), body: requestBody(exchange.req) })
  }
  const kind = requestKind(exchange.req)
  if (kind === 'operation') return postOperation(site, exchange)
  if (kind === 'peer') return postPeerMessage(site, exchange, to.verifier)
  if (exchange.req.headers.has(HEADER.partition)) {
    refuseMark(exchange.req)
    return postSession(site, exchange)
  }
  const concat = exchange.req.headers.get('upload-concat')
  const final = concat?.startsWith('final;') ? await finalOfSessions(site, exchange, concat) : undefined
  if (final) return final
  if (isNewUpload(exchange.req)) refuseWhenBusy(site)
  return routePlainPost(site, exchange, to.original)
}

/** A final upload brings nothing: it joins what is there. */
function isNewUpload(req: TusRequest): boolean {
  return req.headers.get('upload-concat')?.startsWith('final') !== true
}

async function routeUpload(
  site: Site,
  exchange: Exchange,
  to: {
    readonly session: (site: Site, exchange: Exchange, ids: { group: string; session: string }) => Promise<Response>
    readonly file: (
      site: Site,
      exchange: Exchange,
      group: NonNullable<ReturnType<Site['groups']['get']>>,
    ) => Promise<Response>
    readonly original: Original
  },
): Promise<Response> {
  const id = site.server.handlers.PATCH.getFileIdFromRequest(exchange.req)
  const ids = sessionIdsOf(id)
  if (ids) return to.session(site, exchange, ids)
  const group = id === undefined ? undefined : site.groups.byFileId(id)
  // a committed file is an ordinary upload at its home, and gone everywhere else
  if (group && !(group.state === 'committed' && group.home === site.storeId)) return to.file(site, exchange, group)
  const finished = exchange.req.method === 'HEAD' && id !== undefined && (await headFinished(site, exchange, id))
  if (finished) return finished
  return routePlainUpload(site, exchange, { id, original: to.original })
}

async function routeGet(site: Site, exchange: Exchange, original: Original): Promise<Response> {
  const { handlers } = site.server
  if (handlers.GET.paths.has(new URL(exchange.req.url).pathname)) return original()
  return getFile(site, exchange, handlers.GET.getFileIdFromRequest(exchange.req))
}
