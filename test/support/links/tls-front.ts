import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import type { Socket } from 'node:net'
import { type ForwardOptions, forward } from './forward.js'

export type TlsOptions = {
  /** PEM. */
  readonly certificate: string
  /** PEM. */
  readonly privateKey: string
  /**
   * How many bytes of one HTTP/2 stream may be on their way without having been read: what bounds a stream to so many
   * bytes a round trip. Default 65 536, as nginx has it. A connection's own window is as wide as it can be.
   */
  readonly streamWindowBytes?: number
}

export type TlsFrontOptions = TlsOptions & ForwardOptions & { readonly onHttp2Connection?: () => void }

/** nginx's `http2_body_preread_size`. */
const NGINX_WINDOW_BYTES = 65_536
/** The widest that HTTP/2 knows (RFC 9113, 6.9.1). */
const WIDEST_WINDOW_BYTES = 2 ** 31 - 1
/** nginx's `http2_max_concurrent_streams`. */
const MOST_STREAMS = 128

/** Ends TLS in front of a server, as a proxy in production does. */
export interface TlsFront {
  readonly port: number
  /** Says GOAWAY on every HTTP/2 connection, which ends when its last request has. */
  drain(): void
  /** Ends every connection, at once; settles when nothing is left. */
  close(): Promise<void>
}

/**
 * Listens on 127.0.0.1 with TLS, speaks HTTP/2 or HTTP/1.1 as the client likes (ALPN), and passes each request on to a
 * server that speaks HTTP/1.1 in the clear, on a connection of its own. Nothing is kept: bodies stream both ways, an
 * early answer goes out while the body still comes, and what one side breaks off is broken off on the other. A server
 * that does not answer is 502. Its stream windows are nginx's unless told otherwise.
 */
export async function openTlsFront(options: TlsFrontOptions): Promise<TlsFront> {
  const { certificate, privateKey, streamWindowBytes = NGINX_WINDOW_BYTES } = options
  const server = createSecureServer({
    cert: certificate,
    key: privateKey,
    allowHTTP1: true,
    settings: { initialWindowSize: streamWindowBytes, maxConcurrentStreams: MOST_STREAMS },
  })
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) =>
    forward(request, response, options),
  )
  const sessions = new Set<ServerHttp2Session>()
  const sockets = new Set<Socket>()
  follow(server, sessions, sockets)
  server.on('session', () => options.onHttp2Connection?.())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
    for (const session of sessions) session.destroy()
    for (const socket of sockets) socket.destroySoon()
    await closed
  }
  const drain = (): void => {
    for (const session of sessions) session.close()
  }
  return { drain, close, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

function follow(server: Http2SecureServer, sessions: Set<ServerHttp2Session>, sockets: Set<Socket>): void {
  server.on('session', (session) => {
    session.setLocalWindowSize(WIDEST_WINDOW_BYTES)
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  // clients come and go as they like
  for (const event of ['sessionError', 'tlsClientError', 'clientError']) server.on(event, () => {})
}
