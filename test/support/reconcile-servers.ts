import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server } from '@tus/server'
import { RangeStore, type ReconcileExtension, reconcile } from 'tus-reconcile-server'
import type { Link } from './links/index.js'
import { openWireLink, type WireProtocol } from './wire-protocol.js'

/** A reconcile server in this process, behind a link of its own. */
export interface TestServer {
  /** Where clients reach it: through the link. */
  readonly endpoint: string
  /** Where peers reach it: directly. */
  readonly direct: string
  readonly directory: string
  readonly link: Link
  /** Names of the files that it has of uploads, whole ones and begun ones. */
  held(): Promise<string[]>
  /** Ends it: nobody reaches it any more, its peers neither. */
  stop(): Promise<void>
  /** Ends it, and starts it again at the same addresses with the same bytes. */
  restart(): Promise<void>
  /** Ends the uploads that got no byte for `expireMs`, and says how many those were. */
  cleanUp(): Promise<number>
}

export interface TestServers {
  readonly servers: readonly TestServer[]
  close(): Promise<void>
}

export interface TestServersOptions {
  readonly count: number
  /** Of each server's link (default 25 MB/s). */
  readonly upBytesPerSecond?: number
  /** One way (default 2). */
  readonly delayMs?: number
  /** How clients reach them through their links (default: the run's). */
  readonly protocol?: WireProtocol
  /** Where files may be committed (default at their home). */
  readonly commitAt?: 'home' | 'any'
  /** All files are of one tenant, whose blocks are found by digest (default: each upload is apart). */
  readonly dedup?: boolean
  /** How long unfinished uploads are kept (default a day). */
  readonly expireMs?: number
  /** Stands before the server of that index, and answers what it does not let in (returns false); not asked of peers' messages. */
  readonly gate?: (server: number, request: IncomingMessage, response: ServerResponse) => boolean
}

const PEER_CONTENT_TYPE = 'application/tus-reconcile-peer+json'
const SECRET = 'only-for-tests-0123456789'

/** Starts servers that know each other as peers; close() leaves no socket, timer or file. */
export async function startReconcileServers(options: TestServersOptions): Promise<TestServers> {
  const root = await mkdtemp(join(tmpdir(), 'reconcile-test-'))
  const listeners = await Promise.all(Array.from({ length: options.count }, () => listen()))
  const links = await Promise.all(listeners.map((http, i) => linkTo(http, i, options)))
  const extensions = new Map<HttpServer, ReconcileExtension>()
  const servers = listeners.map((http, i): TestServer => {
    const link = links[i]
    const port = portOf(http)
    if (!link) throw new Error('every server has a link')
    const directory = join(root, `server-${i}`)
    return {
      endpoint: `${link.origin}/files`,
      direct: `${originOf(http)}/files`,
      directory,
      link,
      held: () => filesOfUploads(directory),
      stop: async () => {
        await extensions.get(http)?.close()
        await closeServer(http)
      },
      restart: async () => {
        await extensions.get(http)?.close()
        if (!http.listening) await listenAt(http, port)
        start(http, i)
        await extensions.get(http)?.ready
      },
      cleanUp: async () => (await extensions.get(http)?.cleanUp()) ?? 0,
    }
  })
  const start = (http: HttpServer, i: number): void => {
    const peers = servers
      .filter((_, index) => index !== i)
      .map((other) => ({ endpoint: other.endpoint, internalEndpoint: other.direct }))
    const datastore = new RangeStore({
      directory: join(root, `server-${i}`),
      ...(options.expireMs === undefined ? {} : { expirationPeriodInMilliseconds: options.expireMs }),
    })
    // what ends TLS says how clients reach it; peers come past it and say nothing
    const tus = new Server({ path: '/files', datastore, respectForwardedHeaders: true })
    extensions.set(
      http,
      reconcile(tus, {
        peers,
        secrets: [SECRET],
        commitAt: options.commitAt ?? 'home',
        ...(options.dedup ? { dedup: { scope: () => 'tenant' } } : {}),
      }),
    )
    http.removeAllListeners('request')
    http.on('request', (request, response) => {
      const isPeers = request.headers['content-type'] === PEER_CONTENT_TYPE
      if (isPeers || options.gate?.(i, request, response) !== false) void tus.handle(request, response)
    })
  }
  for (const [i, http] of listeners.entries()) start(http, i)
  await untilAcquainted(servers.map(({ direct }) => direct))
  const close = async () => {
    await Promise.all(links.map((link) => link.close()))
    await Promise.all([...extensions.values()].map((extension) => extension.close()))
    await Promise.all(listeners.map((http) => closeServer(http)))
    await rm(root, { recursive: true, force: true })
  }
  return { servers, close }
}

/** What is begun lies in a folder of its own, beside the server's own records. */
async function filesOfUploads(directory: string): Promise<string[]> {
  const whole = (await readdir(directory)).filter((name) => !name.startsWith('.'))
  return [...whole, ...(await readdir(join(directory, '.reconcile', 'groups')))]
}

/** Each has greeted each other one: before that, what is meant for another is answered that there is no such server. */
async function untilAcquainted(endpoints: readonly string[]): Promise<void> {
  const ids = await Promise.all(endpoints.map(storeIdOf))
  for (const endpoint of endpoints) {
    for (const home of ids) while ((await relayedCode(endpoint, home)) !== 'unknown-group');
  }
}

async function storeIdOf(endpoint: string): Promise<string> {
  return (await fetch(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
}

/** What the server of that id says, asked through another one, of an upload that nobody has. */
async function relayedCode(endpoint: string, home: string): Promise<unknown> {
  const group = randomBytes(16).toString('base64url')
  const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/tus-reconcile+json' }
  const answer = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify({ op: 'status', group, home }) })
  return Object(Object(await answer.json()).error).code
}

function listen(): Promise<HttpServer> {
  const http = createServer({ requestTimeout: 0 })
  return listenAt(http, 0)
}

function listenAt(http: HttpServer, port: number): Promise<HttpServer> {
  return new Promise((resolve) => http.listen(port, '127.0.0.1', () => resolve(http)))
}

function portOf(http: HttpServer): number {
  // a server that listens on a port has an AddressInfo; a string would be a pipe's
  return (http.address() as AddressInfo).port
}

function originOf(http: HttpServer): string {
  return `http://127.0.0.1:${portOf(http)}`
}

function linkTo(http: HttpServer, index: number, options: TestServersOptions): Promise<Link> {
  const rate = options.upBytesPerSecond ?? 25_000_000
  const link = {
    name: `server ${index}`,
    target: { host: '127.0.0.1', port: portOf(http) },
    upBytesPerSecond: rate,
    downBytesPerSecond: rate,
    delayMs: options.delayMs ?? 2,
  }
  return openWireLink(link, options.protocol)
}

function closeServer(http: HttpServer): Promise<void> {
  http.closeAllConnections()
  return new Promise((resolve) => http.close(() => resolve()))
}
