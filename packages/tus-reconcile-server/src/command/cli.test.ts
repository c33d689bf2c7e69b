import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PEER_CONTENT_TYPE } from '../peers/peer-messages.js'
import { ANYBODY, SIGNATURE_HEADER, sign } from '../peers/signature.js'
import { newId, sha256, TestClient, TestFile } from '../testing/client.js'
import { RawRequest } from '../testing/raw-request.js'
import { freePort } from '../testing/server.js'
import { SlowRequest, TestEvents } from '../testing/streams.js'

const B = BLOCK_SIZE
// the real command, as it is built
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
let directory: string
const running = new Set<ChildProcess>()
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-cli-'))
})
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

function run(args: string[]): ChildProcess {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

async function ready(child: ChildProcess): Promise<{ url: string; storeId: string }> {
  const [line] = await once(child.stdout ?? child, 'data')
  child.stderr?.resume()
  return JSON.parse(String(line))
}

async function textOf(url: URL): Promise<string> {
  return (await fetch(url)).text()
}

async function failure(args: string[]): Promise<{ code: number; text: string }> {
  const child = run(args)
  let text = ''
  child.stderr?.on('data', (chunk) => {
    text += chunk
  })
  const [code] = await once(child, 'close')
  return { code, text }
}

test('P21: after kill -9 in mid-body every acknowledged byte is there and the session goes on', async () => {
  const port = await freePort()
  const args = ['--directory', directory, '--host', '127.0.0.1', '--port', String(port), '--log', 'json']
  const first = run(args)
  const { url, storeId } = await ready(first)
  const client = new TestClient(url, new TestFile(8 * B + 5), storeId)
  const { file } = client
  const whole = await client.upload(4 * B, file.size)
  await client.claim(whole)
  const session = client.session(0, 4 * B)
  await client.post(session)
  const acked = 2 * B + 1000
  const slow = await client.beginPatch(session, acked)
  first.kill('SIGKILL')
  await once(first, 'exit')
  slow.destroy()
  const second = run(args)
  expect((await ready(second)).storeId).toBe(storeId)
  session.attempt = 1
  const head = await client.head(session)
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, String(acked)])
  session.attempt = 2
  expect((await client.patch(session, acked, file.bytes.subarray(acked, 4 * B))).status).toBe(204)
  expect((await client.claim(session)).answer.verified).toEqual([{ start: 0, end: 4 * B }])
  const commit = await client.commit()
  expect(commit.status).toBe(201)
  if (commit.answer.state !== 'committed') throw new Error('not committed')
  expect(await client.download(commit.answer.url)).toBe(sha256(file.bytes))
  second.kill('SIGKILL')
  await once(second, 'exit')
  const third = run(args)
  await ready(third)
  expect((await client.commit()).status).toBe(200)
  third.kill('SIGTERM')
  const [code] = await once(third, 'exit')
  expect(code).toBe(0)
  const left = await readdir(directory, { recursive: true })
  expect(left.filter((name) => name.endsWith('.tmp') || name.endsWith('.data'))).toEqual([])
})

test('SIGTERM with an open stream and a body that brings nothing more ends in order', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url, storeId } = await ready(child)
  const client = new TestClient(url, new TestFile(4 * B), storeId)
  const events = await new TestEvents(url, client.file.client).open()
  const session = client.session(0, 4 * B)
  await client.post(session)
  await client.beginPatch(session, 10)
  child.kill('SIGTERM')
  // 1 would say that it could not stop within its bound
  expect(await once(child, 'exit')).toEqual([0, null])
  await events.ended
})

test('SIGTERM ends a running body with its block, acknowledged, and refuses new sessions meanwhile', async () => {
  const args = ['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json']
  const child = run(args)
  const { url, storeId } = await ready(child)
  const client = new TestClient(url, new TestFile(4 * B), storeId)
  const session = client.session(0, 4 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, B + 10)
  child.kill('SIGTERM')
  // the signal takes its time to arrive: until then sessions are created
  for (let status = 201; status !== 503; ) {
    const answer = await client.post(client.session(3 * B, 4 * B))
    status = answer.status
    if (status === 503) expect(answer.headers.get('retry-after')).toBe('1')
  }
  expect((await client.ask('status')).status).toBe(200)
  const draining = await fetch(new URL('/healthz', url))
  expect([draining.status, await draining.json()]).toEqual([503, { state: 'draining', storeId }])
  slow.write(client.file.bytes.subarray(B + 10, 3 * B))
  const answer = await slow.answer
  expect([answer.status, answer.headers['upload-offset'], answer.headers['retry-after']]).toEqual([
    503,
    String(2 * B),
    '1',
  ])
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
  const second = await ready(run(args))
  const again = new TestClient(second.url, client.file, second.storeId)
  session.attempt = 1
  session.url = session.url.replace(url, second.url)
  expect((await again.head(session)).headers.get('upload-offset')).toBe(String(2 * B))
})

test('SIGTERM ends the body of a plain upload with an answer, and what arrived is there after the restart', async () => {
  const port = String(await freePort())
  const args = ['--directory', directory, '--host', '127.0.0.1', '--port', port, '--log', 'json']
  const child = run(args)
  const { url } = await ready(child)
  const tus = { 'Tus-Resumable': '1.0.0' }
  const upload = await fetch(url, { method: 'POST', headers: { ...tus, 'Upload-Length': '1000' } })
  const location = upload.headers.get('location') ?? ''
  const type = { 'Content-Type': 'application/offset+octet-stream' }
  const slow = new SlowRequest('PATCH', location, { ...tus, ...type, 'Upload-Offset': 0, 'Content-Length': 1000 })
  slow.write(Buffer.alloc(100))
  const arrived = async () => /plain_received_bytes_total (\d+)/.exec(await textOf(new URL('/metrics', url)))?.[1]
  await expect.poll(arrived).toBe('100')
  child.kill('SIGTERM')
  const { status, headers } = await slow.answer
  expect([status, headers['retry-after'], headers.connection, headers['upload-offset']]).toEqual([
    503,
    '1',
    'close',
    '100',
  ])
  expect(await once(child, 'exit')).toEqual([0, null])
  await ready(run(args))
  const head = await fetch(location, { method: 'HEAD', headers: tus })
  expect(head.headers.get('upload-offset')).toBe('100')
})

test('the command answers its health and its figures beside the endpoint', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url, storeId } = await ready(child)
  const health = await fetch(new URL('/healthz?from=balancer', url))
  expect([health.status, await health.json()]).toEqual([200, { state: 'ready', storeId }])
  const metrics = await fetch(new URL('/metrics', url))
  expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0.0.4/)
  expect(await metrics.text()).toContain('tus_reconcile_uploads{state="open"} 0')
  const head = await fetch(new URL('/metrics', url), { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  const post = await fetch(new URL('/metrics', url), { method: 'POST' })
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

test('with --durability disk an upload is acknowledged and committed, and survives kill -9', async () => {
  const args = ['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json', '--durability', 'disk']
  const child = run(args)
  const { url, storeId } = await ready(child)
  const client = new TestClient(url, new TestFile(2 * B + 5), storeId)
  await client.claim(await client.upload(0, client.file.size))
  expect((await client.commit()).status).toBe(201)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const second = await ready(run(args))
  expect(await client.download(`${second.url}/${client.file.group}`)).toBe(sha256(client.file.bytes))
})

test('SIGHUP reads the secrets again; a file that is wrong leaves them as they were', async () => {
  const secrets = await file(directory, 'secrets', 'the-first-secret-of-all\n')
  const store = join(directory, 'store')
  const args = ['--directory', store, '--host', '127.0.0.1', '--port', '0', '--log', 'json', '--secret-file', secrets]
  const child = run(args)
  let log = ''
  child.stderr?.on('data', (chunk) => {
    log += chunk
  })
  const { url } = await ready(child)
  const hello = async (secret: string) => {
    const body = JSON.stringify({ op: 'hello', from: newId() })
    const { header } = sign(secret, { method: 'POST', path: '/files', to: ANYBODY, body }, Date.now())
    const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': PEER_CONTENT_TYPE, [SIGNATURE_HEADER]: header }
    return (await fetch(url, { method: 'POST', headers, body })).status
  }
  const reload = async (text: string, message: string) => {
    await writeFile(secrets, text)
    child.kill('SIGHUP')
    while (!log.includes(message)) await once(child.stderr ?? child, 'data')
  }
  expect([await hello('the-first-secret-of-all'), await hello('another-secret-for-all')]).toEqual([200, 401])
  await reload('another-secret-for-all\nthe-first-secret-of-all\n', 'secrets read again')
  expect([await hello('the-first-secret-of-all'), await hello('another-secret-for-all')]).toEqual([200, 200])
  await reload('short\n', 'secrets kept as they were')
  expect(await hello('another-secret-for-all')).toBe(200)
  expect(log).not.toContain('secret-for-all')
})

test('a second signal ends the process at once', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url, storeId } = await ready(child)
  const client = new TestClient(url, new TestFile(2 * B), storeId)
  const session = client.session(0, 2 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, 10)
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  child.kill('SIGINT')
  // 128 and the second one's number; which of two comes first is the system's choice
  expect([130, 143]).toContain((await exit)[0])
  slow.destroy()
})

test('a wrong flag ends the real command with one line on stderr and exit 2', async () => {
  for (const args of [
    ['--directory', directory, '--speed', 'fast'],
    ['--directory', await file(directory, 'x', '')],
    ['--directory', join(await file(directory, 'y', ''), 'below')],
    ['--directory', directory, '--host', '203.0.113.1'],
  ]) {
    const { code, text } = await failure(args)
    expect(text).toContain(args[2] ?? args[0])
    expect(text.trim().split('\n').length).toBe(1)
    expect(code).toBe(2)
  }
})

test('a port that is taken is named', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url } = await ready(child)
  const other = join(directory, 'other')
  const { code, text } = await failure(['--directory', other, '--host', '127.0.0.1', '--port', new URL(url).port])
  expect([code, text]).toEqual([2, expect.stringMatching(/--port \d+ is taken/)])
})

test('--check reads a directory that nobody serves, and ends with what it found', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url, storeId } = await ready(child)
  const client = new TestClient(url, new TestFile(B), storeId)
  await client.claim(await client.upload(0, B))
  expect(await failure(['--check', directory])).toEqual({ code: 2, text: expect.stringContaining('in use') })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const clean = run(['--check', directory])
  const [[line], [code]] = await Promise.all([once(clean.stdout ?? clean, 'data'), once(clean, 'exit')])
  expect([code, String(line)]).toEqual([0, expect.stringContaining('1 groups, 1 blocks')])
})

test('a directory that another process serves is refused by its name, and that process goes on', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url, storeId } = await ready(child)
  const { code, text } = await failure(['--directory', directory, '--host', '127.0.0.1', '--port', '0'])
  expect([code, text]).toEqual([2, expect.stringMatching(new RegExp(`--directory ${directory} .* in use`))])
  const client = new TestClient(url, new TestFile(B), storeId)
  await client.claim(await client.upload(0, B))
  expect((await client.commit()).status).toBe(201)
})

async function file(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

test('a client that closes its side after a whole request is answered', async () => {
  const { url, storeId } = await ready(
    run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json']),
  )
  const client = new TestClient(url, new TestFile(B), storeId)
  const session = client.session(0, B)
  await client.post(session)
  session.attempt = 1
  const raw = new RawRequest(session.url, 'PATCH', {
    ...client.header(session),
    'Upload-Offset': 0,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': B,
  })
  raw.socket.end(client.file.bytes)
  await raw.closed
  expect(raw.text).toMatch(/^HTTP\/1.1 204 /)
  expect(raw.text).toMatch(new RegExp(`^upload-offset: ${B}\\r$`, 'im'))
  raw.socket.destroy()
})
