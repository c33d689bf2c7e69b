import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FlagError, parseCliOptions } from './cli-options.js'
import { sha256, TestClient, TestFile } from './testing/client.js'
import { freePort } from './testing/server.js'
import { SlowRequest, TestEvents } from './testing/streams.js'

const B = BLOCK_SIZE
// the real command, as it is built
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
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

async function failure(args: string[]): Promise<{ code: number; text: string }> {
  const child = run(args)
  let text = ''
  child.stderr?.on('data', (chunk) => {
    text += chunk
  })
  const [code] = await once(child, 'close')
  return { code, text }
}

test('after kill -9 in mid-body every acknowledged byte is there and the session goes on', async () => {
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
  const events = await new TestEvents(url, file.client).open()
  const slow = new SlowRequest('PATCH', session.url, {
    ...client.header(session),
    'Upload-Offset': 0,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': 4 * B,
  })
  const acked = 2 * B + 1000
  slow.write(file.bytes.subarray(0, acked))
  await events.until((event) => event.type === 'offset' && event.offset === acked)
  first.kill('SIGKILL')
  await once(first, 'exit')
  events.close()
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

test('SIGTERM with an open stream and an open body ends at once', async () => {
  const child = run(['--directory', directory, '--host', '127.0.0.1', '--port', '0', '--log', 'json'])
  const { url, storeId } = await ready(child)
  const client = new TestClient(url, new TestFile(4 * B), storeId)
  const events = await new TestEvents(url, client.file.client).open()
  const session = client.session(0, 4 * B)
  await client.post(session)
  const slow = new SlowRequest('PATCH', session.url, {
    ...client.header(session),
    'Upload-Offset': 0,
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': 4 * B,
  })
  slow.write(Buffer.alloc(10))
  await events.until((event) => event.type === 'offset' && event.offset === 10)
  const began = performance.now()
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
  expect(performance.now() - began).toBeLessThan(2000)
  await events.ended
})

test('a wrong flag ends the real command with one line on stderr and exit 2', async () => {
  for (const args of [
    ['--directory', directory, '--speed', 'fast'],
    ['--directory', await file(directory, 'x', '')],
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
  const { code, text } = await failure(['--directory', directory, '--host', '127.0.0.1', '--port', new URL(url).port])
  expect([code, text]).toEqual([2, expect.stringMatching(/--port \d+ is taken/)])
})

describe('every wrong flag is named, with what to do', () => {
  const cases: [string, (folder: string) => Promise<string[]> | string[], RegExp][] = [
    ['no directory', () => [], /--directory/],
    ['a directory without a value', () => ['--directory'], /--directory/],
    ['a flag as its value', () => ['--directory', '--port', '1'], /--directory|argument/],
    ['an unknown flag', (d) => ['--directory', d, '--speed', 'fast'], /--speed/],
    ['a bad port', (d) => ['--directory', d, '--port', '70000'], /--port/],
    ['a bad size', (d) => ['--directory', d, '--max-size', '5MB'], /--max-size/],
    ['a bad path', (d) => ['--directory', d, '--path', 'files'], /--path/],
    ['a bad log', (d) => ['--directory', d, '--log', 'xml'], /--log/],
    ['an expiry of nothing', (d) => ['--directory', d, '--expire', '0'], /--expire/],
    ['a peer that is no URL', (d) => ['--directory', d, '--peer', 'eu.example.com'], /--peer/],
    ['a peer without a secret', (d) => ['--directory', d, '--peer', 'http://a/files'], /--secret-file/],
    ['a secret file that is not there', (d) => ['--directory', d, '--secret-file', join(d, 'no')], /--secret-file/],
    [
      'a short secret',
      async (d) => ['--directory', d, '--secret-file', await file(d, 's', 'short\n')],
      /16 characters/,
    ],
  ]
  test.each(cases)('%s', async (_name, args, expected) => {
    const argv = await args(directory)
    expect(() => parseCliOptions(argv)).toThrow(FlagError)
    expect(() => parseCliOptions(argv)).toThrow(expected)
  })
})

async function file(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}
