import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileConfigstore } from '@tus/file-store'
import type { Upload } from '@tus/server'
import { BLOCK_SIZE, encodeDigest } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256, TestClient } from '../../testing/client.js'
import { readRecords } from '../../testing/records.js'
import { startStore, type TestStore } from '../../testing/server.js'
import { clientOf } from '../../testing/stores.js'

/** Fails as often as it is told to. */
class FailingConfigs extends FileConfigstore<Upload> {
  failures = 0
  override async set(key: string, value: Upload): Promise<void> {
    if (this.failures-- > 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    await super.set(key, value)
  }
}

let configstore: FailingConfigs
let store: TestStore
let client: TestClient
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-failed-commit-'))
  configstore = new FailingConfigs(directory)
  store = await startStore({ directory, store: { configstore } })
  client = clientOf(store, 2 * BLOCK_SIZE + 5)
  await client.claim(await client.upload(0, client.file.size))
  configstore.failures = 1
  expect(await commitStatus()).toBe(507)
})
afterEach(async () => {
  await store.close()
  await rm(store.directory, { recursive: true, force: true })
})

async function commitStatus(root?: string): Promise<number> {
  const { group, size } = client.file
  const operation = { op: 'commit', group, home: client.home, size, root: root ?? (await client.file.root()) } as const
  return (await client.operate(operation)).status
}

async function expectCommitted(status: number): Promise<void> {
  const { answer, status: answered } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(answered).toBe(status)
  expect(await client.download(`${store.endpoint}/${client.file.group}`)).toBe(sha256(client.file.bytes))
}

test('a commit that failed once its bytes had become the file goes on when it is asked for again', async () => {
  expect((await client.ask('status')).answer).toMatchObject({ state: 'open' })
  await expectCommitted(201)
})

test('a commit that failed once its bytes had become the file is ended at the next start, as it was checked', async () => {
  // the record is what another commit must not change
  expect(await commitStatus(encodeDigest(Buffer.alloc(32)))).toBe(460)
  await store.close()
  const [record] = await readRecords(store.directory)
  expect([record?.header.state, record?.header.commit?.root]).toEqual(['committing', await client.file.root()])
  store = await startStore({ directory: store.directory, store: { configstore } })
  client = new TestClient(store.endpoint, client.file, store.storeId)
  expect(await readFile(join(store.directory, client.file.group))).toEqual(client.file.bytes)
  expect(store.log.filter(({ finding }) => finding)).toEqual([])
  await expectCommitted(200)
})

test.each([
  ['at once', false],
  ['after a start that could not end it either', true],
])(
  'an upload that is terminated when its commit has failed leaves no bytes at its name, %s',
  async (_when, isRestarted) => {
    if (isRestarted) {
      await store.close()
      configstore.failures = 1
      store = await startStore({ directory: store.directory, store: { configstore } })
      client = new TestClient(store.endpoint, client.file, store.storeId)
    }
    const path = join(store.directory, client.file.group)
    expect((await readFile(path)).length).toBe(client.file.size)
    expect((await client.ask('terminate')).status).toBe(200)
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await fetch(`${store.endpoint}/${client.file.group}`)).status).toBe(404)
    await store.close()
    store = await startStore({ directory: store.directory, store: { configstore } })
    client = new TestClient(store.endpoint, client.file, store.storeId)
    expect((await client.ask('status')).answer.state).toBe('terminated')
  },
)
