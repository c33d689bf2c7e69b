import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Upload } from '@tus/server'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, onTestFinished, test } from 'vitest'
import { TestClient, TestFile } from '../../testing/client.js'
import { startStore, type TestStore } from '../../testing/server.js'

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

test('a file that was begun before a restart has its digest after its commit, and over the next restart', async () => {
  const first = await start()
  const client = clientOf(first, 20 * B + 7)
  const expected = flatDigest(client.file.bytes)
  await client.claim(await client.upload(0, 20 * B + 7))
  await first.extension.close()
  const second = await startStore({ directory: first.directory })
  onTestFinished(() => second.close())
  const again = new TestClient(second.endpoint, client.file, second.storeId)
  expect((await commit(again)).digest).toBeNull()
  await second.logged(({ msg }) => msg === 'file hashed after its commit')
  const headAt = ({ endpoint }: TestStore) =>
    fetch(`${endpoint}/${client.file.group}`, { method: 'HEAD', headers: TUS })
  expect((await headAt(second)).headers.get('repr-digest')).toBe(expected)
  expect((await commit(again)).digest).toBe(expected)
  await second.extension.close()
  const third = await startStore({ directory: first.directory })
  onTestFinished(() => third.close())
  expect((await headAt(third)).headers.get('repr-digest')).toBe(expected)
})

test('another file of a name that was deleted has neither the digest nor the strong tag of the first, after a restart too', async () => {
  const first = await start()
  const client = clientOf(first, 8)
  await client.claim(await client.upload(0, 8))
  const { url } = await commit(client)
  expect((await fetch(url)).headers.get('etag')).toBe(`"${await client.file.root()}"`)
  expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  await first.datastore.create(new Upload({ id: client.file.group, size: 8, offset: 0 }))
  await first.datastore.write(Readable.from([Buffer.from('another!')]), client.file.group, 0)
  const expectOther = async (address: string) => {
    const { headers } = await fetch(address)
    expect([headers.get('repr-digest'), headers.get('etag')]).toEqual([null, expect.stringMatching(/^W\//)])
  }
  await expectOther(url)
  await first.extension.close()
  const second = await startStore({ directory: first.directory })
  onTestFinished(() => second.close())
  await expectOther(`${second.endpoint}/${client.file.group}`)
})
