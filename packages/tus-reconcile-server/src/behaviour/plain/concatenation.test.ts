import { randomFillSync } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EVENTS, type ServerOptions } from '@tus/server'
import { Upload as TusUpload } from 'tus-js-client'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import type { TestStore } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const stores = testStores()
const open = (tus: Partial<ServerOptions> = {}): Promise<TestStore> => stores.open({ tus })

function post(endpoint: string, headers: Record<string, string>, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
  const type: Record<string, string> = body ? { 'Content-Type': BODY_CONTENT_TYPE } : {}
  return fetch(endpoint, { method: 'POST', headers: { ...TUS, ...type, ...headers }, ...(body ? { body } : {}) })
}

async function partial(endpoint: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const answer = await post(endpoint, { 'Upload-Concat': 'partial', 'Upload-Length': String(body.length) }, body)
  return answer.headers.get('location') ?? ''
}

function uploadInParallel(endpoint: string, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new TusUpload(bytes, {
      endpoint,
      parallelUploads: 3,
      retryDelays: [],
      metadata: { filename: 'parallel.bin' },
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
    })
    upload.start()
  })
}

test('parallelUploads of tus-js-client: one file, named, consented to and finished once', async () => {
  const seen: string[] = []
  const store = await open({
    namingFunction: (_req, metadata) => `named-${metadata?.filename}`,
    onIncomingRequest: async (req, id) => {
      if (!id.endsWith('.partial')) seen.push(`${req.method} ${id}`)
    },
    onUploadCreate: async (_req, upload) => {
      seen.push(`create ${upload.id} ${upload.size} ${Object.keys(upload.metadata ?? {})}`)
      return { metadata: { ...upload.metadata, owner: 'me' } }
    },
    onUploadFinish: async (_req, upload) => {
      seen.push(`finish ${upload.id} ${upload.offset} ${Object.keys(upload.metadata ?? {})} ${upload.storage?.path}`)
      return {}
    },
  })
  for (const event of [EVENTS.POST_CREATE, EVENTS.POST_FINISH, EVENTS.POST_TERMINATE]) {
    store.server.on(event, () => seen.push(event))
  }
  const bytes = randomFillSync(Buffer.alloc(3_000_001))
  const url = await uploadInParallel(store.endpoint, bytes)
  const id = 'named-parallel.bin'
  expect(url).toBe(`${store.endpoint}/${id}`)
  const path = join(store.directory, id)
  expect(bytes.equals(await readFile(path))).toBe(true)
  expect(seen).toEqual([
    `POST ${id}`,
    `create ${id} ${bytes.length} filename`,
    'POST_CREATE',
    `finish ${id} ${bytes.length} filename,owner ${path}`,
    'POST_FINISH',
  ])
  expect((await readdir(store.directory)).sort()).toEqual(['.reconcile', id, `${id}.json`])
})

test('the largest file binds all parts together', async () => {
  const store = await open({ maxSize: 1000 })
  const parts = await Promise.all([600, 600].map((size) => partial(store.endpoint, Buffer.alloc(size))))
  expect((await post(store.endpoint, { 'Upload-Concat': `final;${parts.join(' ')}` })).status).toBe(413)
  expect((await post(store.endpoint, { 'Upload-Concat': `final;${parts[0]}` })).status).toBe(201)
})

test('who may not see a part may not make a file of it', async () => {
  const store = await open({
    onIncomingRequest: async (req, id) => {
      if (id.endsWith('.partial') && req.headers.get('x-user') === 'stranger') throw { status_code: 403, body: 'no' }
    },
  })
  const part = await partial(store.endpoint, Buffer.from('secret'))
  const headers = { 'Upload-Concat': `final;${part}`, 'X-User': 'stranger' }
  expect((await post(store.endpoint, headers)).status).toBe(403)
})

test('a finish hook that refuses a final upload is told again, and not run again', async () => {
  let runs = 0
  const store = await open({
    onUploadFinish: async () => {
      runs++
      throw { status_code: 422, body: 'a virus' }
    },
  })
  const part = await partial(store.endpoint, Buffer.from('x'))
  for (let i = 0; i < 2; i++) {
    const answer = await post(store.endpoint, { 'Upload-Concat': `final;${part}` })
    expect([answer.status, (await answer.text()).trim()]).toEqual([422, 'a virus'])
  }
  expect(runs).toBe(1)
})

test('a final upload takes no name that is taken, and its parts stay', async () => {
  const store = await open({ namingFunction: () => 'always' })
  await post(store.endpoint, { 'Upload-Length': '3' }, Buffer.from('old'))
  const part = await partial(store.endpoint, Buffer.from('new'))
  expect((await post(store.endpoint, { 'Upload-Concat': `final;${part}` })).status).toBe(409)
  expect(await readFile(join(store.directory, 'always'), 'utf8')).toBe('old')
  expect((await fetch(part, { method: 'HEAD', headers: TUS })).headers.get('upload-offset')).toBe('3')
})
