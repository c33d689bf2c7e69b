import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import type { Link, LinkOptions } from './links/index.js'
import { openWireLink } from './wire-protocol.js'

export interface PlainServer {
  readonly endpoint: string
  readonly link: Link
  /** Methods of the requests that reached the front, in their order. */
  readonly asked: string[]
  close(): Promise<void>
}

/** What stands before the server: answers itself, or calls `pass`. */
export type Front = (request: IncomingMessage, response: ServerResponse, pass: () => void) => void

/** On requests that a front has made itself: they go to the server as they are. */
const PASSED = 'x-passed-by-front'

/** Sends what somebody else sends to the server behind the front, where `request` came. */
export function sendBehind(request: IncomingMessage, o: RequestInit): Promise<Response> {
  const { port } = request.socket.address() as AddressInfo
  const headers = { ...(o.headers as Record<string, string>), [PASSED]: '1' }
  return fetch(`http://127.0.0.1:${port}${request.url}`, { ...o, headers })
}

/** A proxy that passes bodies on only when they are whole. */
export const buffering: Front = (request, response, pass) => {
  if (request.method !== 'PATCH') return pass()
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.once('end', () => {
    const { connection: _, 'content-length': __, 'transfer-encoding': ___, ...headers } = request.headers
    const o = { method: 'PATCH', headers: headers as Record<string, string>, body: Buffer.concat(pieces) }
    void sendBehind(request, o).then(
      (answer) => response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(),
      () => response.destroy(),
    )
  })
}

/** @tus/server with FileStore, which knows nothing of ours, behind a front and a link. */
export async function startPlainServer(
  o: {
    directory: string
    upBytesPerSecond?: number
    front?: Front
  } & Pick<LinkOptions, 'delayMs' | 'discipline'>,
): Promise<PlainServer> {
  const tus = new Server({
    path: '/files',
    datastore: new FileStore({ directory: o.directory }),
    respectForwardedHeaders: true,
  })
  const asked: string[] = []
  const http = createServer((request, response) => {
    const pass = () => void tus.handle(request, response)
    if (request.headers[PASSED] !== undefined) return pass()
    asked.push(request.method ?? '')
    if (o.front) o.front(request, response, pass)
    else pass()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()))
  const target = { host: '127.0.0.1', port: (http.address() as AddressInfo).port }
  const upBytesPerSecond = o.upBytesPerSecond ?? Number.POSITIVE_INFINITY
  const link = await openWireLink({
    name: 'plain',
    target,
    upBytesPerSecond,
    ...(o.delayMs === undefined ? {} : { delayMs: o.delayMs }),
    ...(o.discipline === undefined ? {} : { discipline: o.discipline }),
  })
  return {
    endpoint: `${link.origin}/files`,
    link,
    asked,
    close: async () => {
      await link.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
