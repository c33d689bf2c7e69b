import { randomFillSync } from 'node:crypto'
import {
  createServer,
  type Server as HttpServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { startReconcileServers } from 'reconcile-test-support/reconcile-servers'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { afterEach, expect } from 'vitest'
import { rule } from './rules.js'
import { B, send, sha256 } from './wire-client.js'

// What the document asks of clients, of ours.

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Heard {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function listening(http: HttpServer): Promise<string> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`
}

/** A door before a server that hears all requests, and lets none pass that `refused` names. */
async function door(
  endpoint: string,
  heard: Heard[],
  refused: (body: string) => boolean = () => false,
): Promise<string> {
  const target = new URL(endpoint)
  const pass = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const isJson = /json/.test(String(req.headers['content-type']))
    // in the order in which requests begin: one that is given up has no end
    const hearing = { method: req.method ?? '', headers: req.headers, body: '' }
    heard.push(hearing)
    const pieces: Buffer[] = []
    for await (const piece of req) pieces.push(piece)
    const body = Buffer.concat(pieces)
    if (isJson) hearing.body = body.toString()
    if (isJson && refused(hearing.body)) {
      req.socket.destroy()
      return
    }
    const options = {
      host: target.hostname,
      port: target.port,
      path: req.url,
      method: req.method,
      headers: req.headers,
    }
    const passed = httpRequest(options, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(res)
    })
    passed.once('error', () => res.destroy())
    res.once('close', () => passed.destroy())
    passed.end(body)
  }
  // a client may break off in mid-body
  return listening(createServer((req, res) => void pass(req, res).catch(() => res.destroy())))
}

async function reconcileServer(): Promise<string> {
  const { servers, close } = await startReconcileServers({ count: 1 })
  closing.push(close)
  return servers[0]?.direct ?? ''
}

async function uploaded(endpoint: string, bytes: Buffer<ArrayBuffer>): Promise<void> {
  const { url } = await new AdaptiveUpload(bytes, { endpoint }).start({ signal: AbortSignal.timeout(25_000) })
  expect(sha256((await send(url)).bytes)).toEqual(sha256(bytes))
}

const partitionOf = ({ headers }: Heard): string => String(headers['upload-partition'] ?? '')
const memberOf = (text: string, name: string): string => new RegExp(`${name}="?([\\w-]+)`).exec(text)?.[1] ?? ''

rule(
  2,
  'A client MUST NOT use a header or content type of this document before OPTIONS listed `reconcile-1`: one header too many is a refused preflight',
  async () => {
    const heard: Heard[] = []
    const plain = new Server({ path: '/files', datastore: new FileStore({ directory: tmpdir() }) })
    const behind = await listening(createServer((req, res) => void plain.handle(req, res)))
    await uploaded(await door(behind, heard), randomFillSync(Buffer.alloc(B + 5)))
    const ours = heard.filter(({ headers }) =>
      /partition|reconcile/.test(JSON.stringify(headers).replaceAll(/127[^"]*/g, '')),
    )
    expect([heard.length > 1, ours]).toEqual([true, []])
    const second: Heard[] = []
    await uploaded(await door(await reconcileServer(), second), randomFillSync(Buffer.alloc(B + 5)))
    expect(second[0]?.method).toBe('OPTIONS')
    expect(second.slice(1).some((request) => partitionOf(request) !== '')).toBe(true)
  },
)

rule(24, 'A client MUST give each request of a session a higher `attempt` than the one before', async () => {
  const heard: Heard[] = []
  await uploaded(await door(await reconcileServer(), heard), randomFillSync(Buffer.alloc(40 * B)))
  const last = new Map<string, number>()
  for (const text of heard.map(partitionOf).filter((each) => each !== '')) {
    const [session, attempt] = [memberOf(text, 'session'), Number(memberOf(text, 'attempt'))]
    expect(attempt).toBeGreaterThan(last.get(session) ?? -1)
    last.set(session, attempt)
  }
  expect(last.size).toBeGreaterThan(0)
})

rule(78, 'A client MUST NOT depend on events: each fact is also learnt from an answer', async () => {
  const heard: Heard[] = []
  const isEvents = (body: string) => JSON.parse(body).op === 'events'
  await uploaded(await door(await reconcileServer(), heard, isEvents), randomFillSync(Buffer.alloc(8 * B + 3)))
  expect(heard.some(({ body }) => body !== '' && isEvents(body))).toBe(true)
})

rule(
  87,
  "A client MUST make ids from 128 random bits of a cryptographic source: who knows a group's id can write to it, and its file's URL holds it",
  async () => {
    const heard: Heard[] = []
    const endpoint = await door(await reconcileServer(), heard)
    for (let i = 0; i < 3; i++) await uploaded(endpoint, randomFillSync(Buffer.alloc(10)))
    const texts = heard.map(partitionOf).filter((text) => text !== '')
    const groups = new Set(texts.map((text) => memberOf(text, 'group')))
    expect(groups.size).toBe(3)
    for (const id of [...groups, ...texts.map((text) => memberOf(text, 'session'))]) {
      // 16 bytes, and no other spelling of them
      expect(Buffer.from(id, 'base64url').toString('base64url')).toBe(id)
      expect(Buffer.from(id, 'base64url')).toHaveLength(16)
    }
  },
)
