import { createHash } from 'node:crypto'
import { Upload } from '@tus/server'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, onTestFinished, test } from 'vitest'
import { TestClient, TestFile } from './testing/client.js'
import { startStore, type TestStore } from './testing/server.js'

const B = BLOCK_SIZE
const TUS = { 'Tus-Resumable': '1.0.0' }
const flatDigest = (bytes: Uint8Array): string => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`

async function start(): Promise<TestStore> {
  const store = await startStore()
  onTestFinished(() => store.close())
  return store
}

const clientOf = (store: TestStore, size: number): TestClient =>
  new TestClient(store.endpoint, new TestFile(size), store.storeId)

async function commit(client: TestClient): Promise<{ digest: string | null; url: string }> {
  const { group, client: name, size } = client.file
  const root = await client.file.root()
  const answer = await client.operate({ op: 'commit', group, client: name, home: client.home, size, root })
  expect(answer.status).toBeLessThan(202)
  return { digest: answer.headers.get('repr-digest'), url: JSON.parse(answer.text).url }
}

test.each([0, 1, 4 * B, 5 * B + 77])('a file of %d bytes has its flat digest on commit, HEAD and GET', async (size) => {
  const client = clientOf(await start(), size)
  await client.claim(await client.upload(0, size))
  const expected = flatDigest(client.file.bytes)
  const { digest, url } = await commit(client)
  expect(digest).toBe(expected)
  expect((await commit(client)).digest).toBe(expected)
  const head = await fetch(url, { method: 'HEAD', headers: TUS })
  const part = await fetch(url, { headers: { Range: 'bytes=0-0' } })
  expect([head.headers.get('repr-digest'), part.headers.get('repr-digest')]).toEqual([expected, expected])
  expect(head.headers.get('access-control-expose-headers')).toContain('Repr-Digest')
})

test('another file of a name that was deleted does not have the digest of the first', async () => {
  const store = await start()
  const client = clientOf(store, 8)
  await client.claim(await client.upload(0, 8))
  const { url } = await commit(client)
  expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  await store.datastore.create(new Upload({ id: client.file.group, size: 0, offset: 0 }))
  const head = await fetch(url, { method: 'HEAD', headers: TUS })
  expect(head.headers.get('repr-digest')).toBeNull()
})
