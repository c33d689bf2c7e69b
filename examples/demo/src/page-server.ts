import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { applyControl, ControlError, parseControl } from './control.js'
import { portOf } from './ports.js'
import type { ScriptLog } from './script-log.js'
import type { World } from './world.js'

export interface PageServer {
  readonly url: string
  close(): Promise<void>
}

interface PageOptions {
  readonly folder: string
  readonly world: World
  readonly log: ScriptLog
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
}
const MAX_CONTROL_BYTES = 1024

/** Serves the built page, where its servers are (`/config.json`), and its switches (`POST /control`). */
export async function openPageServer(options: PageOptions): Promise<PageServer> {
  const server: Server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => refuse(response, error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  return { url: `http://127.0.0.1:${portOf(server)}/`, close }
}

async function answer(request: IncomingMessage, response: ServerResponse, o: PageOptions): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://page')
  if (pathname === '/config.json') return sendJson(response, 200, describe(o.world))
  if (pathname === '/control' && request.method === 'POST') {
    await applyControl(o.world, o.log, parseControl(await readJson(request), o.world.servers.length))
    return sendJson(response, 200, { ok: true })
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return sendJson(response, 405, { error: 'GET only' })
  await sendFile(response, join(o.folder, normalize(pathname === '/' ? '/index.html' : pathname)))
}

/** All that the page is told of the world: where its servers are. */
function describe({ servers }: World): object {
  return { servers: servers.map(({ path, endpoint }) => ({ name: path.name, endpoint })) }
}

async function sendFile(response: ServerResponse, path: string): Promise<void> {
  const facts = await stat(path).catch(() => undefined)
  if (!facts?.isFile()) return sendJson(response, 404, { error: 'no such page' })
  const type = TYPES[extname(path)] ?? 'application/octet-stream'
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': facts.size, 'Cache-Control': 'no-store' })
  createReadStream(path).pipe(response)
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const piece of request) {
    text += String(piece)
    if (text.length > MAX_CONTROL_BYTES) throw new ControlError('too long')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new ControlError('POST { "server": 0, "action": "slow" } as JSON')
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  if (response.headersSent) response.destroy()
  else sendJson(response, error instanceof ControlError ? 400 : 500, { error: message })
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body))
}
