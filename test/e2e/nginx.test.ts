import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer, json, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  BLOCK_SIZE,
  BODY_CONTENT_TYPE,
  encodeDigest,
  formatId,
  formatPartitionHeader,
  merkleRoot,
  OPERATION_CONTENT_TYPE,
} from 'tus-reconcile-protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasNginx, type Nginx, NO_NGINX, startNginx } from '../support/nginx.js'
import {
  initialWindow,
  openExchange,
  type Protocol,
  type TlsAnswer,
  type TlsExchange,
} from '../support/tls-exchange.js'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CLI = join(ROOT, 'packages/tus-reconcile-server/dist/cli.js')
const CLIENT = join(ROOT, 'examples/node/dist/upload.js')
const TUS = { 'Tus-Resumable': '1.0.0' }
const BODY = { 'Content-Type': BODY_CONTENT_TYPE }
const MIB = 1_048_576

const found = await hasNginx()
if (!found) console.error(`SKIPPED: ${NO_NGINX}`)

let nginx: Nginx
let endpoint: string
let directory: string
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  if (!found) return
  directory = await mkdtemp(join(tmpdir(), 'nginx-test-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  const upstreamPort = await startCommand(join(directory, 'uploads'))
  const [, configuration = ''] =
    /```nginx\n([\s\S]*?)```/.exec(await readFile(join(ROOT, 'docs/nginx.md'), 'utf8')) ?? []
  nginx = await startNginx({ configuration, directory: join(directory, 'nginx'), upstreamPort })
  cleanups.push(() => nginx.close())
  endpoint = `https://127.0.0.1:${nginx.port}/files`
})

afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** The command as the document starts it, on any port. */
async function startCommand(uploads: string): Promise<number> {
  const flags = ['--directory', uploads, '--host', '127.0.0.1', '--behind-proxy', '--port', '0', '--log', 'json']
  const child = spawn(process.execPath, [CLI, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(child, 'exit')
  cleanups.push(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const [line] = await once(child.stdout, 'data')
  return Number(new URL(JSON.parse(String(line)).url).port)
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function newId(): string {
  return formatId(randomBytes(16))
}

/** A client that speaks one protocol to nginx and trusts its certificate. */
class WireClient {
  readonly protocol: Protocol
  readonly client = newId()
  readonly group = newId()
  readonly session = newId()
  #home = ''

  constructor(protocol: Protocol) {
    this.protocol = protocol
  }

  open(method: string, path: string, headers: Record<string, string>): TlsExchange {
    return openExchange(this.protocol, nginx, { method, path, headers })
  }

  async ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Uint8Array | string,
  ): Promise<TlsAnswer> {
    const exchange = openExchange(this.protocol, nginx, { method, path, headers, hasBody: body !== undefined })
    exchange.body.end(body)
    return exchange.answer
  }

  /** A creation of this client's session, which is the whole file of `size` bytes. */
  async creation(size: number, attempt: number): Promise<Record<string, string>> {
    this.#home ||= String((await this.ask('OPTIONS', '/files', {})).headers['store-id'])
    const { group, session, client } = this
    const header = { group, partition: 'p0', session, attempt, client, start: 0, end: size, size, home: this.#home }
    return { ...TUS, 'Upload-Partition': formatPartitionHeader(header), 'Upload-Length': String(size) }
  }

  async operate(operation: object): Promise<TlsAnswer> {
    const body = JSON.stringify({ group: this.group, home: this.#home, client: this.client, ...operation })
    return this.ask('POST', '/files', { ...TUS, 'Content-Type': OPERATION_CONTENT_TYPE }, body)
  }

  async events(): Promise<Readable> {
    const body = JSON.stringify({ op: 'events', client: this.client })
    return (await this.ask('POST', '/files', { ...TUS, 'Content-Type': OPERATION_CONTENT_TYPE }, body)).body
  }
}

/** Reads a stream of events until it says `wanted`, and cuts it. */
async function untilSaid(events: Readable, wanted: string, onFirst: () => void): Promise<string> {
  let said = ''
  for await (const chunk of events) {
    if (said === '') onFirst()
    said += chunk
    if (said.includes(wanted)) break
  }
  return said
}

describe.skipIf(!found).each<Protocol>(['HTTP/1.1', 'HTTP/2'])('behind nginx as documented, %s', (protocol) => {
  it('a file goes through byte-identical, and its URLs are those that the client uses', async () => {
    const client = new WireClient(protocol)
    const data = randomBytes(5 * MIB + 7)
    const spoofed = { Forwarded: 'host=evil.example;proto=http', 'X-Forwarded-Host': 'evil.example' }
    const creation = await client.creation(data.length, 0)
    const created = await client.ask('POST', '/files', { ...creation, ...BODY, ...spoofed }, data)
    expect(created.status).toBe(201)
    expect(created.headers['upload-offset']).toBe(String(data.length))
    expect(created.headers.location).toBe(`${endpoint}/${client.group}.${client.session}`)
    expect(created.headers['reconcile-upload']).toBe(`${endpoint}/${client.group}`)
    const digests: Buffer[] = []
    for (let at = 0; at < data.length; at += BLOCK_SIZE) digests.push(sha256(data.subarray(at, at + BLOCK_SIZE)))
    const leaves = digests.map(encodeDigest)
    await client.operate({ op: 'claim', claims: [{ session: client.session, start: 0, leaves }] })
    const root = encodeDigest(await merkleRoot(digests, data.length, sha256))
    const committed = await client.operate({ op: 'commit', size: data.length, root })
    expect(await json(committed.body)).toMatchObject({ state: 'committed', url: `${endpoint}/${client.group}` })
    const whole = await client.ask('GET', `/files/${client.group}`, {})
    expect(sha256(await buffer(whole.body)).equals(sha256(data))).toBe(true)
    const part = await client.ask('GET', `/files/${client.group}`, { Range: 'bytes=1000000-3000000' })
    expect(part.status).toBe(206)
    expect((await buffer(part.body)).equals(data.subarray(1_000_000, 3_000_001))).toBe(true)
  })

  it('a plain upload comes with its creation, of known length or not, though nobody says how long the body is', async () => {
    const client = new WireClient(protocol)
    const data = randomBytes(MIB + 3)
    for (const length of [{ 'Upload-Length': String(data.length) }, { 'Upload-Defer-Length': '1' }]) {
      const created = await client.ask('POST', '/files', { ...TUS, ...BODY, ...length }, data)
      expect([created.status, created.headers['upload-offset']]).toEqual([201, String(data.length)])
      const path = new URL(String(created.headers.location)).pathname
      if (!('Upload-Length' in length)) {
        const end = { 'Upload-Length': String(data.length), 'Upload-Offset': String(data.length) }
        expect((await client.ask('PATCH', path, { ...TUS, ...BODY, ...end }, '')).status).toBe(204)
      }
      expect((await buffer((await client.ask('GET', path, {})).body)).equals(data)).toBe(true)
    }
  })

  it('a request whose body ends before its first byte has none: creations, their repeats, and final uploads', async () => {
    const client = new WireClient(protocol)
    const first = await client.ask('POST', '/files', await client.creation(MIB, 0), '')
    const again = await client.ask('POST', '/files', await client.creation(MIB, 1), '')
    expect([first.status, again.status]).toEqual([201, 200])
    const part = { ...TUS, ...BODY, 'Upload-Concat': 'partial', 'Upload-Length': '4' }
    const { headers } = await client.ask('POST', '/files', part, 'part')
    const final = { ...TUS, 'Upload-Concat': `final;${headers.location}` }
    expect((await client.ask('POST', '/files', final, '')).status).toBe(201)
    expect((await client.ask('POST', '/files', { ...TUS, 'Upload-Length': '4' }, '')).status).toBe(201)
  })

  it('events come at once while a body is on its way, and of one that breaks off what came is kept', async () => {
    const client = new WireClient(protocol)
    const sent = 300_000
    const posting = client.open('POST', '/files', {
      ...(await client.creation(MIB, 0)),
      ...BODY,
      'Content-Length': String(MIB),
    })
    const said = await untilSaid(await client.events(), `"offset":${sent}}`, () =>
      posting.body.write(randomBytes(sent)),
    )
    expect(said.startsWith(': hb\n\n')).toBe(true)
    posting.destroy()
    const again = await client.ask('POST', '/files', await client.creation(MIB, 1))
    expect([again.status, again.headers['upload-offset']]).toEqual([200, String(sent)])
  })

  it('a refusal reaches a client in mid-body, however fast it sends', async () => {
    const client = new WireClient(protocol)
    const size = 64 * MIB
    expect((await client.ask('POST', '/files', await client.creation(size, 0))).status).toBe(201)
    for (let attempt = 1; attempt <= 5; attempt++) {
      const repeat = client.open('POST', '/files', {
        ...(await client.creation(size, attempt)),
        ...BODY,
        'Content-Length': String(size),
      })
      const chunks = Array.from({ length: size / 65_536 }, () => Buffer.alloc(65_536))
      pipeline(chunks, repeat.body).catch(() => {})
      const answer = await repeat.answer
      expect([answer.status, answer.headers['upload-offset']]).toEqual([409, '0'])
      expect(await text(answer.body)).toContain('session-exists')
      repeat.destroy()
    }
  })
})

describe.skipIf(!found)('behind nginx as documented', () => {
  it('a stream of HTTP/2 may begin with 1 MiB', async () => {
    expect(await initialWindow(nginx)).toBe(MIB)
  })

  it('the engine uploads a file', async () => {
    const data = randomBytes(3 * MIB + 11)
    const path = join(directory, 'film.mp4')
    await writeFile(path, data)
    const env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: nginx.certificateFile }
    const { stdout } = await run(process.execPath, [CLIENT, path, endpoint], { env })
    const [, url = ''] = /^(https:\S+) after/m.exec(stdout) ?? []
    expect(url.startsWith(`${endpoint}/`)).toBe(true)
    const answer = await new WireClient('HTTP/1.1').ask('GET', new URL(url).pathname, {})
    expect(sha256(await buffer(answer.body)).equals(sha256(data))).toBe(true)
  })
})
