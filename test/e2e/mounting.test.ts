import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as tus from 'tus-js-client'
import { BODY_CONTENT_TYPE, formatId, formatPartitionHeader, OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { AdaptiveUpload, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Link, openLink } from '../support/links/index.js'
import { freePort, type MountedExampleOptions, startMountedExample } from '../support/mounted-example.js'

const MB = 1_000_000
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const DIST = join(ROOT, 'examples/mounting/dist')
const TOKEN = 'only-for-tests'
const SECRET = 'only-for-tests-0123456789'
const AUTHORIZED = { Authorization: `Bearer ${TOKEN}` }
const TUS = { ...AUTHORIZED, 'Tus-Resumable': '1.0.0' }

type Cleanups = (() => Promise<unknown>)[]
/** After each test, and after all tests of one mount. */
const cleanups: Cleanups = []
const lastCleanups: Cleanups = []

async function cleanUp(all: Cleanups): Promise<void> {
  for (const cleanup of all.splice(0).reverse()) await cleanup()
}

afterEach(() => cleanUp(cleanups))
afterAll(() => cleanUp(lastCleanups))

/** How each framework takes a request, as its README says it; `instead` replaces the mount of the program. */
const MOUNTS = [
  { name: 'node:http', program: 'node-http' },
  { name: 'Express, app.use', program: 'express' },
  { name: 'Express, app.all', program: 'express', instead: 'app.all(' },
  { name: 'Fastify', program: 'fastify' },
  { name: 'Hono, handleWeb', program: 'hono' },
  { name: 'Hono, handle', program: 'hono', instead: 'RESPONSE_ALREADY_SENT' },
]

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mounting-test-'))
  cleanups.push(() => rm(path, { recursive: true, force: true }))
  return path
}

async function start(program: string, more: Partial<MountedExampleOptions> = {}): Promise<string> {
  const example = await startMountedExample({ program, directory: await folder(), token: TOKEN, ...more })
  cleanups.push(() => example.stop())
  return `http://127.0.0.1:${example.port}/api/files`
}

/** The built program, with the line of its mount replaced by the one of the README that has `instead` in it. */
async function programOf(mount: { program: string; instead?: string }): Promise<string> {
  const built = join(DIST, `${mount.program}.js`)
  if (mount.instead === undefined) return built
  const snippet = (await snippetsOf('examples/mounting/README.md')).find((code) => code.includes(mount.instead ?? ''))
  const lines = (snippet ?? '').split('\n')
  const imports = lines.filter((line) => line.startsWith('import '))
  const rest = lines.filter((line) => !line.startsWith('import '))
  return variant(built, (code) => {
    const changed = code.replace(/^app\.(use|all)\('\/api\/files.*$/m, () => rest.join('\n'))
    expect(changed).not.toBe(code)
    return `${imports.join('\n')}\n${changed}`
  })
}

/** A program beside the built one, so that packages resolve as for it. */
async function variant(built: string, change: (code: string) => string): Promise<string> {
  const path = built.replace(/\.js$/, `.${randomBytes(4).toString('hex')}.tmp.mjs`)
  await writeFile(path, change(await readFile(built, 'utf8')))
  cleanups.push(() => rm(path, { force: true }))
  return path
}

async function snippetsOf(file: string): Promise<string[]> {
  const text = await readFile(join(ROOT, file), 'utf8')
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function downloadedSha256(url: string): Promise<string> {
  const response = await fetch(url, { headers: AUTHORIZED })
  expect(response.status).toBe(200)
  return sha256(new Uint8Array(await response.arrayBuffer()))
}

function plainUpload(endpoint: string, data: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(data, {
      endpoint,
      headers: AUTHORIZED,
      chunkSize: 400_000,
      metadata: { filename: 'plain.bin' },
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
    })
    upload.start()
  })
}

/** A session of a file that nobody knows yet, at its beginning. */
async function newSession(
  endpoint: string,
  size: number,
): Promise<{ client: string; headers: (attempt: number) => Record<string, string> }> {
  const home = (await fetch(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
  const newId = () => formatId(randomBytes(16))
  const client = newId()
  const header = { group: newId(), partition: 'p0', session: newId(), client, start: 0, size, home }
  const headers = (attempt: number) => ({
    ...TUS,
    'Upload-Partition': formatPartitionHeader({ ...header, attempt }),
    'Upload-Defer-Length': '1',
  })
  return { client, headers }
}

/** A creation with a body of MB bytes, which the test sends as it likes. */
function beginPost(endpoint: string, headers: Record<string, string>): ClientRequest {
  return httpRequest(endpoint, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': BODY_CONTENT_TYPE, 'Content-Length': MB },
  })
}

/** What the event stream of a client says, as it comes. */
async function* eventText(endpoint: string, client: string): AsyncGenerator<string> {
  const abort = new AbortController()
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { ...TUS, 'Content-Type': OPERATION_CONTENT_TYPE },
    body: JSON.stringify({ op: 'events', client }),
    signal: abort.signal,
  })
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  let text = ''
  try {
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      yield text
    }
  } finally {
    abort.abort()
  }
}

async function linkTo(port: number): Promise<Link> {
  const options = { name: 'mounted', target: { host: '127.0.0.1', port }, upBytesPerSecond: 4 * MB, delayMs: 2 }
  const link = await openLink(options)
  cleanups.push(() => link.close())
  return link
}

describe.each(MOUNTS)('mounted in $name', (mount) => {
  let program: string
  let endpoint: string

  beforeAll(async () => {
    program = await programOf(mount)
    endpoint = await start(program)
    lastCleanups.push(...cleanups.splice(0))
  })
  it('answers a preflight and announces the extension, without a token', async () => {
    for (const url of [endpoint, `${endpoint}/some-upload`]) {
      const answer = await fetch(url, {
        method: 'OPTIONS',
        headers: { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'PATCH' },
      })
      expect(answer.status).toBe(204)
      expect(answer.headers.get('tus-extension')).toContain('reconcile-1')
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      expect(answer.headers.get('access-control-allow-headers')).toContain('Upload-Partition')
    }
  })

  it('lets nobody in without the token', async () => {
    const creation = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '5' },
    })
    expect(creation.status).toBe(401)
    const events = { op: 'events', client: formatId(randomBytes(16)) }
    const operation = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE },
      body: JSON.stringify(events),
    })
    expect(operation.status).toBe(401)
    const url = await plainUpload(endpoint, randomBytes(1000))
    expect((await fetch(url)).status).toBe(401)
  })

  it('takes an upload of tus-js-client, and gives it back whole and in ranges', async () => {
    const data = randomBytes(MB + 7)
    const url = await plainUpload(endpoint, data)
    expect(url.startsWith(`${endpoint}/`)).toBe(true)
    expect(await downloadedSha256(url)).toBe(sha256(data))
    const part = await fetch(url, { headers: { ...AUTHORIZED, Range: 'bytes=300000-700000' } })
    expect(part.status).toBe(206)
    expect(part.headers.get('content-range')).toBe(`bytes 300000-700000/${data.length}`)
    expect(sha256(new Uint8Array(await part.arrayBuffer()))).toBe(sha256(data.subarray(300_000, 700_001)))
  })

  it('takes partitions of one file on two servers', async () => {
    const ports = [await freePort(), await freePort()]
    const endpoints = ports.map((port) => `http://127.0.0.1:${port}/api/files`)
    for (const [i, port] of ports.entries()) {
      await start(program, { port, peer: { endpoint: endpoints[1 - i] ?? '', secret: SECRET } })
    }
    const links = await Promise.all(ports.map(linkTo))
    const [primary = '', mirror = ''] = links.map((link) => `${link.origin}/api/files`)
    const data = randomBytes(6 * MB)
    const upload = new AdaptiveUpload(data, {
      endpoint: primary,
      headers: AUTHORIZED,
      mirrors: [{ endpoint: mirror, headers: AUTHORIZED }],
    })
    const events: LoggedEvent[] = []
    upload.on('event', (event) => events.push(event))
    const { url } = await upload.start()
    expect(await downloadedSha256(url)).toBe(sha256(data))
    const servers = events.flatMap((event) => (event.type === 'session' ? [event.server] : []))
    expect(new Set(servers)).toEqual(new Set([0, 1]))
    for (const link of links) expect(link.counters.bodyBytesUp).toBeGreaterThan(0)
  })

  it('tells events while the stream is open, and keeps what came of a body that broke off', async () => {
    const { client, headers } = await newSession(endpoint, MB)
    const sent = 300_000
    const posting = beginPost(endpoint, headers(0))
    const broken = once(posting, 'error')
    let said = ''
    for await (const text of eventText(endpoint, client)) {
      if (said === '') posting.write(randomBytes(sent))
      said = text
      if (said.includes(`"offset":${sent}}`)) break
    }
    expect(said.startsWith(': hb\n\n')).toBe(true)
    posting.destroy(new Error('the client is gone'))
    await broken
    const again = await fetch(endpoint, { method: 'POST', headers: headers(1) })
    expect(again.status).toBe(200)
    expect(again.headers.get('upload-offset')).toBe(String(sent))
  })

  it('refuses a body at once, in mid-body', async () => {
    const { headers } = await newSession(endpoint, MB)
    expect((await fetch(endpoint, { method: 'POST', headers: headers(0) })).status).toBe(201)
    const repeat = beginPost(endpoint, headers(1))
    repeat.on('error', () => {})
    repeat.write(randomBytes(1000))
    const [answer] = await once(repeat, 'response')
    expect(answer.statusCode).toBe(409)
    expect(answer.headers.connection).toBe('close')
    repeat.destroy()
  })

  it('ends by itself at SIGTERM, with an event stream and a body open', async () => {
    const example = await startMountedExample({ program, directory: await folder(), token: TOKEN })
    const own = `http://127.0.0.1:${example.port}/api/files`
    const { client, headers } = await newSession(own, MB)
    const posting = beginPost(own, headers(0))
    const answered = once(posting, 'response')
    let stopped: Promise<number | string> | undefined
    let isWritten = false
    for await (const text of eventText(own, client)) {
      if (!isWritten) posting.write(randomBytes(262_144))
      isWritten = true
      if (text.includes('"offset":262144}')) stopped ??= example.stop()
    }
    const [answer] = await answered
    expect(answer.statusCode).toBe(503)
    posting.destroy()
    expect(await stopped).toBe(0)
  })
})

it('node:http: a path that only begins like the endpoint is not the endpoint', async () => {
  const endpoint = await start(join(DIST, 'node-http.js'))
  const [other, own] = await Promise.all(['x', ''].map((more) => fetch(endpoint + more, { method: 'OPTIONS' })))
  expect([other?.status, other?.headers.get('tus-resumable')]).toEqual([404, null])
  expect([own?.status, own?.headers.get('tus-resumable')]).toEqual([204, '1.0.0'])
})

describe('beside other routes', () => {
  for (const program of ['express', 'fastify', 'hono']) {
    it(`${program}: they keep their body parser`, async () => {
      const endpoint = await start(join(DIST, `${program}.js`))
      const answer = await fetch(new URL('/api/albums', endpoint), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"title":"holiday"}',
      })
      expect(await answer.json()).toEqual({ title: 'holiday' })
    })
  }

  const GREEDY = [
    { name: 'Express', program: 'express', line: "app.use(express.raw({ type: '*/*', limit: '9mb' }))" },
    {
      name: 'Hono',
      program: 'hono',
      line: 'app.use(async (c, next) => { await c.req.raw.arrayBuffer(); await next() })',
    },
  ]
  for (const { name, program, line } of GREEDY) {
    it(`${name}: a body parser before the mount is told what to change, instead of losing bytes`, async () => {
      const greedy = await variant(join(DIST, `${program}.js`), (code) =>
        code.replace(/^const app = .*$/m, `$&\n${line}`),
      )
      const endpoint = await start(greedy)
      const creation = await fetch(endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Length': '5' } })
      expect(creation.status).toBe(201)
      const patch = await fetch(creation.headers.get('location') ?? '', {
        method: 'PATCH',
        headers: { ...TUS, 'Upload-Offset': '0', 'Content-Type': BODY_CONTENT_TYPE },
        body: 'hello',
      })
      expect(patch.status).toBe(500)
      expect(await patch.json()).toMatchObject({
        error: { code: 'body-consumed', message: expect.stringContaining('before all body parsers') },
      })
    })
  }
})

describe('the READMEs mount as the examples do', () => {
  for (const file of ['examples/mounting/README.md', 'packages/tus-reconcile-server/README.md']) {
    it(file, async () => {
      const sources = await Promise.all(
        ['node-http', 'express', 'fastify', 'hono'].map((name) =>
          readFile(join(ROOT, `examples/mounting/src/${name}.ts`), 'utf8'),
        ),
      )
      const mounts = (await snippetsOf(file)).filter((code) => /handle(Web)?\(/.test(code))
      expect(mounts.length).toBeGreaterThan(0)
      for (const code of mounts) {
        if (MOUNTS.some(({ instead }) => instead !== undefined && code.includes(instead))) continue
        expect(sources.some((source) => source.includes(code.trim()))).toBe(true)
      }
    })
  }
})
