import { once } from 'node:events'
import { connect } from 'node:http2'
import { request } from 'node:https'
import type { Readable, Writable } from 'node:stream'

export type Protocol = 'HTTP/1.1' | 'HTTP/2'

export interface TlsOrigin {
  readonly port: number
  /** PEM: the only one that is trusted. */
  readonly certificate: string
}

export interface TlsRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Default: a body follows, if only its end. */
  readonly hasBody?: boolean
}

export interface TlsAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Readable
}

/** One request on a connection of its own, whose body the test sends as it likes. */
export interface TlsExchange {
  readonly body: Writable
  readonly answer: Promise<TlsAnswer>
  /** Breaks the connection off. */
  destroy(): void
}

export function openExchange(protocol: Protocol, origin: TlsOrigin, asked: TlsRequest): TlsExchange {
  return protocol === 'HTTP/2' ? overHttp2(origin, asked) : overHttp1(origin, asked)
}

function overHttp1({ port, certificate }: TlsOrigin, asked: TlsRequest): TlsExchange {
  const { method, path, headers } = asked
  const sending = request({ host: '127.0.0.1', port, ca: certificate, agent: false, method, path, headers })
  sending.on('error', () => {})
  const answer = once(sending, 'response').then(([received]) => ({
    status: received.statusCode,
    headers: received.headers,
    body: received,
  }))
  answer.catch(() => {})
  return { body: sending, answer, destroy: () => sending.destroy() }
}

function overHttp2({ port, certificate }: TlsOrigin, asked: TlsRequest): TlsExchange {
  const session = connect(`https://127.0.0.1:${port}`, { ca: certificate })
  session.on('error', () => {})
  const { method, path, headers, hasBody = true } = asked
  // a body that may come is chunked behind a proxy, even where none does
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: !hasBody })
  stream.on('error', () => {})
  stream.once('close', () => session.close())
  const answer = once(stream, 'response').then(([received]) => ({
    status: received[':status'],
    headers: received,
    body: stream,
  }))
  answer.catch(() => {})
  return { body: stream, answer, destroy: () => session.destroy() }
}

/** The HTTP/2 window that a stream begins with, bytes. */
export async function initialWindow({ port, certificate }: TlsOrigin): Promise<number> {
  const session = connect(`https://127.0.0.1:${port}`, { ca: certificate })
  const [settings] = await once(session, 'remoteSettings')
  session.destroy()
  return settings.initialWindowSize
}
