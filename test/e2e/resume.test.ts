import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { afterEach, describe, expect, it } from 'vitest'
import type { Link } from '../support/links/index.js'
import { startPlainServer } from '../support/plain-server.js'
import { startReconcileServers, type TestServer } from '../support/reconcile-servers.js'
import { createNodeClient, wireProtocol } from '../support/wire-protocol.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const BLOCK = 262_144
/** What links and sockets hold of a body when its sender is killed. */
const ON_ITS_WAY = 1 * MB
/** A loaded machine is as much slower. */
const SLOWNESS = 4
/** The example of the engine without Uppy, with a journal beside the file; for HTTP/2, which that does not speak, one of ours. */
const UPLOADER = fileURLToPath(
  new URL(wireProtocol === 'h1' ? '../../examples/node/dist/upload.js' : '../dist/http2-uploader.js', import.meta.url),
)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Uploader {
  readonly process: ChildProcess
  /** Everything that it has said. */
  said(): string
  hasReached(percent: number): Promise<void>
  /** Its code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>
}

function startUploader(path: string, endpoints: readonly string[]): Uploader {
  const child = spawn(process.execPath, [UPLOADER, path, ...endpoints], { stdio: ['ignore', 'pipe', 'pipe'] })
  cleanups.push(() => child.kill('SIGKILL'))
  let text = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      text += piece.toString()
      for (const listener of listeners) listener()
    })
  const percent = () => Math.max(0, ...[...text.matchAll(/([\d.]+) %/g)].map(([, number]) => Number(number)))
  return {
    process: child,
    said: () => text,
    ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code))),
    hasReached: (least) =>
      new Promise((resolve) => {
        const look = () => {
          if (percent() < least) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
      }),
  }
}

async function fileOf(size: number): Promise<{ folder: string; path: string; data: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'resume-test-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const data = randomBytes(size)
  const path = join(folder, 'source.bin')
  await writeFile(path, data)
  return { folder, path, data }
}

async function servers(count: number, upBytesPerSecond: number): Promise<readonly TestServer[]> {
  const started = await startReconcileServers({ count, upBytesPerSecond })
  cleanups.push(() => started.close())
  return started.servers
}

async function plainServer(upBytesPerSecond: number) {
  const directory = await mkdtemp(join(tmpdir(), 'resume-plain-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  const server = await startPlainServer({ directory, upBytesPerSecond })
  cleanups.push(() => server.close())
  return { ...server, directory }
}

const sent = (links: readonly Link[]) => links.reduce((sum, link) => sum + link.counters.bodyBytesUp, 0)

const urlIn = (text: string) => /(\S+) after/.exec(text)?.[1] ?? ''

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function expectStored(direct: string, url: string, data: Uint8Array): Promise<void> {
  const answer = await fetch(`${direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(data))
}

describe('a process that is killed in mid-upload', () => {
  it('is gone on for by the next one, which sends no acknowledged block again', async () => {
    const all = await servers(2, 2 * MB)
    const { folder, path, data } = await fileOf(12 * MB)
    const endpoints = all.map(({ endpoint }) => endpoint)
    const first = startUploader(path, endpoints)
    await first.hasReached(50)
    first.process.kill('SIGKILL')
    expect(await first.ended).toBe('SIGKILL')
    const second = startUploader(path, endpoints)
    expect(await second.ended, second.said()).toBe(0)
    await expectStored(all[0]?.direct ?? '', urlIn(second.said()), data)
    // a begun block of each of the two sessions that a server may have, and what was on its way
    expect(sent(all.map(({ link }) => link))).toBeLessThan(data.length + 4 * BLOCK + 2 * ON_ITS_WAY)
    expect(await readdir(folder)).toEqual(['source.bin'])
  })

  it('is gone on for on a plain tus server, from where that is', async () => {
    const server = await plainServer(2 * MB)
    const { folder, path, data } = await fileOf(10 * MB)
    const first = startUploader(path, [server.endpoint])
    await first.hasReached(50)
    first.process.kill('SIGKILL')
    await first.ended
    const second = startUploader(path, [server.endpoint])
    expect(await second.ended, second.said()).toBe(0)
    const stored = await readFile(join(server.directory, urlIn(second.said()).split('/').at(-1) ?? ''))
    expect(sha256(stored)).toBe(sha256(data))
    expect(sent([server.link])).toBeLessThan(data.length + ON_ITS_WAY)
    expect(await readdir(folder)).toEqual(['source.bin'])
  })

  // what a journal says of a file does not depend on the protocol
  const itOnce = it.runIf(wireProtocol === 'h1')
  itOnce('whose file has changed since is told so, and given again uploads the file as it is', async () => {
    const [server] = await servers(1, 2 * MB)
    if (!server) throw new Error('no server')
    const { path } = await fileOf(6 * MB)
    const first = startUploader(path, [server.endpoint])
    await first.hasReached(40)
    first.process.kill('SIGKILL')
    await first.ended
    const data = randomBytes(6 * MB)
    await writeFile(path, data)
    const refused = startUploader(path, [server.endpoint])
    expect(await refused.ended).toBe(1)
    expect(refused.said()).toContain('source-changed: the file is not what its unfinished upload began with')
    const again = startUploader(path, [server.endpoint])
    expect(await again.ended, again.said()).toBe(0)
    await expectStored(server.direct, urlIn(again.said()), data)
  })
})

describe('a pause', () => {
  for (const kind of ['reconcile', 'plain'])
    it(`stops at once and frees the network, what its sockets hold included: ${kind}`, async () => {
      const rate = MB
      const link = kind === 'plain' ? await plainServer(rate) : await servers(1, rate).then(([server]) => server)
      if (!link) throw new Error('no server')
      const client = createNodeClient()
      cleanups.push(() => client.close())
      const upload = new AdaptiveUpload(randomBytes(12 * MB), { ...client.options, endpoint: link.endpoint })
      const done = upload.start().catch((error: unknown) => error)
      // so much is handed over that a socket holds some of it
      await new Promise<void>((resolve) =>
        upload.on('event', (event) => event.type === 'progress' && event.ackedBytes > 3 * MB && resolve()),
      )
      const before = sent([link.link])
      const startMs = performance.now()
      await upload.pause()
      expect(performance.now() - startMs).toBeLessThan(100 * SLOWNESS)
      await expect.poll(() => link.link.counters.openConnections).toBeLessThanOrEqual(1)
      const passedMs = performance.now() - startMs
      expect(sent([link.link]) - before).toBeLessThan((rate * Math.min(passedMs, 100 * SLOWNESS)) / 1000)
      await upload.cancel()
      expect(await done).toMatchObject({ code: 'cancelled' })
      // one connection of HTTP/2 is for all that its owner does
      client.close()
      await expect.poll(() => link.link.counters.openConnections).toBe(0)
    })
})

describe('maxRate', () => {
  for (const kind of ['reconcile', 'plain'])
    it(`is kept by all connections together, and reached: ${kind}`, async () => {
      const all = kind === 'plain' ? [await plainServer(25 * MB)] : await servers(2, 25 * MB)
      const [endpoint = '', ...mirrors] = all.map((server) => server.endpoint)
      const upload = new AdaptiveUpload(randomBytes(6 * MB), { ...nodeClient(), endpoint, mirrors, maxRate: MB })
      const beganMs = performance.now()
      await upload.start()
      const seconds = (performance.now() - beganMs) / 1000
      const bytes = all.reduce((sum, server) => sum + server.link.counters.upBytes, 0)
      // with the credit of the first moment; a machine that is slow is slower
      expect(bytes / seconds).toBeLessThan(1.05 * MB)
      expect(bytes / seconds).toBeGreaterThan(MB / SLOWNESS)
    })
})

it('without a journal, what the server has is found by digest and not sent again, where its operator allows that', async () => {
  const rate = 2 * MB
  const started = await startReconcileServers({ count: 1, upBytesPerSecond: rate, dedup: true })
  cleanups.push(() => started.close())
  const [server] = started.servers
  if (!server) throw new Error('no server')
  const data = randomBytes(20 * MB)
  const first = new AdaptiveUpload(data, { ...nodeClient(), endpoint: server.endpoint })
  const stop = new AbortController()
  first.on('event', (event) => event.type === 'progress' && event.ackedBytes > 15 * MB && stop.abort())
  await expect(first.start({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
  const before = sent([server.link])
  const second = new AdaptiveUpload(data, { ...nodeClient(), endpoint: server.endpoint })
  const asked: string[] = []
  second.on('event', (event) => event.type === 'roundTrip' && asked.push(event.operation))
  await expectStored(server.direct, (await second.start()).url, data)
  expect(asked).toContain('have')
  // what was sent before the first answer, and what had not arrived
  expect(sent([server.link]) - before).toBeLessThan(data.length - before + 3 * ON_ITS_WAY)
})

it('processes that share a file for what they remember lose nothing of each other', async () => {
  const { folder } = await fileOf(1)
  const path = join(folder, 'shared.json')
  const journal = new URL('../../packages/uppy-adaptive/dist/io/file-journal.js', import.meta.url)
  const script = `
    const [module, path, name] = process.argv.slice(1)
    const { openJournalFile } = await import(module)
    for (let i = 0; i < 25; i++) await openJournalFile(path).set(name + i, name)
  `
  const names = ['a', 'b', 'c']
  const args = ['--input-type=module', '--eval', script, journal.href, path]
  await Promise.all(names.map((name) => promisify(execFile)(process.execPath, [...args, name])))
  const wanted = names.flatMap((name) => Array.from({ length: 25 }, (_, i) => [`${name}${i}`, name]))
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(Object.fromEntries(wanted))
  expect(await readdir(folder)).toEqual(['shared.json', 'source.bin'])
})

it('a journal that cannot be written is a warning, and the file is uploaded', async () => {
  const [server] = await servers(1, 20 * MB)
  if (!server) throw new Error('no server')
  const { folder, path, data } = await fileOf(MB)
  const journal = join(folder, 'no', 'such', 'folder.json')
  const upload = new AdaptiveUpload({ path }, { ...nodeClient(), endpoint: server.endpoint, journal })
  const warnings: string[] = []
  upload.on('event', (event) => event.type === 'warning' && warnings.push(event.code))
  await expectStored(server.direct, (await upload.start()).url, data)
  expect(warnings).toEqual(['journal-failed'])
})
