import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { LimitOptions } from '../../limits/limit-options.js'
import { reconcile } from '../../reconcile.js'
import type { TestStoreOptions } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'
import { SlowRequest } from '../../testing/streams.js'

const stores = testStores()
const TUS = { 'Tus-Resumable': '1.0.0' }
const BODY = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE }

/** Clients name themselves in a header of the application's. */
const plainClient: NonNullable<LimitOptions['plainClient']> = (req) => req.headers.get('x-user') ?? undefined
const ANN = { 'X-User': 'ann' }

function open(limits: LimitOptions, options: TestStoreOptions = {}) {
  return stores.open({ ...options, reconcile: { limits: { plainClient, ...limits }, ...options.reconcile } })
}

function create(endpoint: string, length: number, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Length': String(length), ...headers } })
}

async function created(endpoint: string, length: number, headers: Record<string, string> = {}): Promise<string> {
  const answer = await create(endpoint, length, headers)
  expect(answer.status).toBe(201)
  return answer.headers.get('location') ?? ''
}

function patch(url: string, offset: number, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'PATCH', headers: { ...BODY, 'Upload-Offset': String(offset), ...headers }, body })
}

async function offsetOf(url: string): Promise<string | null> {
  return (await fetch(url, { method: 'HEAD', headers: TUS })).headers.get('upload-offset')
}

function expectTooMany(answer: Response): void {
  expect([answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([429, true])
}

describe('P220: A plain upload MUST count for its client and address as one upload with one session does, until it is a file or gone', () => {
  test.each([
    ['openGroups', 'client'],
    ['openGroups', 'address'],
    ['liveSessions', 'client'],
    ['liveSessions', 'address'],
  ] as const)('%s of one %s: the first goes on, and its end makes room', async (limit, scope) => {
    const { endpoint } = await open({ [limit]: { [scope]: 1 } })
    const first = await created(endpoint, 4, ANN)
    expectTooMany(await create(endpoint, 4, ANN))
    expect((await patch(first, 0, 'file', ANN)).status).toBe(204)
    const second = await created(endpoint, 4, ANN)
    expectTooMany(await create(endpoint, 4, ANN))
    await fetch(second, { method: 'DELETE', headers: TUS })
    await created(endpoint, 4, ANN)
  })

  test('whom the application does not name is bound by addresses alone', async () => {
    const { endpoint } = await open({ openGroups: { client: 1 } })
    for (let i = 0; i < 3; i++) await created(endpoint, 4)
    await created(endpoint, 4, ANN)
    await created(endpoint, 4, { 'X-User': 'ben' })
    expectTooMany(await create(endpoint, 4, ANN))
  })

  test('bytes of unfinished uploads, checked or not: what counted before is kept, and their end makes room', async () => {
    const { endpoint } = await open({ unfinishedBytes: { client: 10 } })
    const first = await created(endpoint, 20, ANN)
    expect((await patch(first, 0, '12345678', ANN)).status).toBe(204)
    expectTooMany(await patch(first, 8, '9012', ANN))
    expect(await offsetOf(first)).toBe('8')
    const sha1 = { 'Upload-Checksum': 'sha1 fCIvspJ9goryLdfGOj8GpOyO8zA=' }
    expectTooMany(await patch(first, 8, '1234', { ...ANN, ...sha1 }))
    expect(await offsetOf(first)).toBe('8')
    const second = await created(endpoint, 4, ANN)
    await fetch(first, { method: 'DELETE', headers: TUS })
    expect((await patch(second, 0, '1234', ANN)).status).toBe(204)
    // it is a file: it counts no more
    const third = await created(endpoint, 20, ANN)
    expect((await patch(third, 0, '1234567890', ANN)).status).toBe(204)
  })

  test('bodies at once: one more is not begun, those that run go on', async () => {
    const { endpoint, directory } = await open({ bodies: { client: 1 } })
    const first = await created(endpoint, 8, ANN)
    const second = await created(endpoint, 4, ANN)
    const slow = new SlowRequest('PATCH', first, { ...BODY, ...ANN, 'Upload-Offset': 0, 'Content-Length': 8 })
    slow.write(Buffer.from('half'))
    const path = join(directory, first.slice(first.lastIndexOf('/')))
    while ((await stat(path)).size < 4) await new Promise((resolve) => setImmediate(resolve))
    expectTooMany(await patch(second, 0, '1234', ANN))
    slow.write(Buffer.from('rest'))
    slow.end()
    expect((await slow.answer).status).toBe(204)
    expect((await patch(second, 0, '1234', ANN)).status).toBe(204)
  })

  test('a part counts until its file is made', async () => {
    const { endpoint } = await open({ openGroups: { client: 1 }, liveSessions: { client: 1 } })
    const part = await created(endpoint, 4, { ...ANN, 'Upload-Concat': 'partial' })
    expect((await patch(part, 0, 'file', ANN)).status).toBe(204)
    expectTooMany(await create(endpoint, 4, ANN))
    const final = await fetch(endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Concat': `final;${part}` } })
    expect(final.status).toBe(201)
    await created(endpoint, 4, ANN)
  })

  test('an upload that has expired makes room', async () => {
    const store = await open({ openGroups: { client: 1 } }, { expireMs: 1 })
    await created(store.endpoint, 4, ANN)
    while ((await store.extension.cleanUp()) === 0);
    await created(store.endpoint, 4, ANN)
  })

  test('after a restart an upload counts again for whoever goes on with it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reconcile-limits-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const limits = { openGroups: { client: 1 }, unfinishedBytes: { client: 10 } }
    const before = await open(limits, { directory })
    const url = await created(before.endpoint, 20, ANN)
    expect((await patch(url, 0, '12345678', ANN)).status).toBe(204)
    await before.close()
    const { endpoint } = await open(limits, { directory })
    const again = `${endpoint}${url.slice(url.lastIndexOf('/'))}`
    expectTooMany(await patch(again, 8, '9012', ANN))
    expectTooMany(await create(endpoint, 4, ANN))
  })

  test('over another datastore too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reconcile-limits-'))
    const server = new Server({ path: '/files', datastore: new FileStore({ directory }) })
    const extension = reconcile(server, { limits: { plainClient, openGroups: { client: 1 } } })
    const http = createServer((req, res) => void server.handle(req, res)).listen(0, '127.0.0.1')
    onTestFinished(async () => {
      http.close()
      http.closeAllConnections()
      await extension.close()
      await rm(directory, { recursive: true, force: true })
    })
    await new Promise((resolve) => http.once('listening', resolve))
    const endpoint = `http://127.0.0.1:${(http.address() as AddressInfo).port}/files`
    const first = await created(endpoint, 4, ANN)
    expectTooMany(await create(endpoint, 4, ANN))
    expect((await patch(first, 0, 'file', ANN)).status).toBe(204)
    await created(endpoint, 4, ANN)
  })
})

test.skipIf(!existsSync('/dev/full'))(
  'bytes that found no room on the disk count no more when they come again',
  async () => {
    const { endpoint, directory } = await open({ unfinishedBytes: { client: 6 } })
    const url = await created(endpoint, 8, ANN)
    const path = join(directory, url.slice(url.lastIndexOf('/') + 1))
    await rm(path)
    await symlink('/dev/full', path)
    expect((await patch(url, 0, 'text', ANN)).status).toBe(507)
    await rm(path)
    await writeFile(path, '')
    expect((await patch(url, 0, 'text', ANN)).status).toBe(204)
  },
)

test('the hook that names clients may refuse', async () => {
  const refuse = () => {
    throw { status_code: 401, body: 'who are you?\n' }
  }
  const { endpoint, directory } = await open({ plainClient: refuse })
  const answer = await create(endpoint, 4)
  expect([answer.status, await answer.text()]).toEqual([401, 'who are you?\n'])
  expect((await readdir(directory)).filter((name) => !name.startsWith('.'))).toEqual([])
})

test('P175: A body beyond `max-append-size` MUST be refused with 413 and `Upload-Limit`, of a plain upload too', async () => {
  const { endpoint } = await open({}, { reconcile: { maxAppendSize: 5 } })
  const url = await created(endpoint, 20)
  const announced = await patch(url, 0, '123456')
  expect([announced.status, announced.headers.get('upload-limit')]).toEqual([413, 'max-append-size=5'])
  expect(await offsetOf(url)).toBe('0')
  const headers = { ...BODY, 'Upload-Offset': '0', 'Transfer-Encoding': 'chunked' }
  const chunked = new SlowRequest('PATCH', url, headers)
  chunked.write(Buffer.from('123456'))
  chunked.end()
  expect((await chunked.answer).status).toBe(413)
  expect((await patch(url, Number(await offsetOf(url)), '12345')).status).toBe(204)
})
