import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, onTestFinished, test } from 'vitest'
import { FullDisk } from '../../testing/full-disk.js'
import { startStore, type TestStore } from '../../testing/server.js'

const TUS = { 'Tus-Resumable': '1.0.0' }

async function createPlain(store: TestStore, length: number): Promise<{ url: string; path: string }> {
  const headers = { ...TUS, 'Upload-Length': String(length) }
  const url = (await fetch(store.endpoint, { method: 'POST', headers })).headers.get('location') ?? ''
  return { url, path: join(store.directory, url.slice(url.lastIndexOf('/') + 1)) }
}

function patchPlain(url: string, offset: number, body: string | ReadableStream<Uint8Array>): Promise<Response> {
  const headers = { ...TUS, 'Upload-Offset': String(offset), 'Content-Type': BODY_CONTENT_TYPE }
  const init: RequestInit & { duplex: 'half' } = { method: 'PATCH', headers, body, duplex: 'half' }
  return fetch(url, init)
}

async function plainOffset(url: string): Promise<string | null> {
  return (await fetch(url, { method: 'HEAD', headers: TUS })).headers.get('upload-offset')
}

test.skipIf(!existsSync('/dev/full'))('a disk that takes no byte is 507 to a plain PATCH, and no 500', async () => {
  const store = await startStore()
  onTestFinished(() => store.close())
  const { url, path } = await createPlain(store, 4)
  await rm(path)
  await symlink('/dev/full', path)
  expect((await patchPlain(url, 0, 'text')).status).toBe(507)
  await rm(path)
  await writeFile(path, '')
  expect(await plainOffset(url)).toBe('0')
  expect((await patchPlain(url, 0, 'text')).status).toBe(204)
})

test('a disk that fills up within a plain PATCH is 507: what came before counts, and it goes on from there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-full-'))
  const backend = new FullDisk(join(directory, '.reconcile', 'groups'), Number.POSITIVE_INFINITY)
  const store = await startStore({ directory, store: { backend, minFreeBytes: 1000 } })
  onTestFinished(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  const { url, path } = await createPlain(store, 8)
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const refused = patchPlain(url, 0, readable)
  await writer.write(Buffer.from('kept'))
  while ((await stat(path)).size < 4) await new Promise((resolve) => setImmediate(resolve))
  backend.saysFree = 999
  // the first may have begun before
  await store.datastore.space.look()
  await store.datastore.space.look()
  await writer.write(Buffer.from('lost'))
  await writer.close()
  expect((await refused).status).toBe(507)
  expect(await plainOffset(url)).toBe('4')
  backend.saysFree = 1000
  await store.datastore.space.look()
  expect((await patchPlain(url, 4, 'more')).status).toBe(204)
  expect(await (await fetch(url)).text()).toBe('keptmore')
})
