import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { TestClient, TestFile } from '../../testing/client.js'
import { rewriteHeader } from '../../testing/records.js'
import type { TestStore, TestStoreOptions } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'

const B = BLOCK_SIZE
const { open } = testStores()

/** As a new process on the same directory, which is removed at the end. */
async function restart(store: TestStore, options: TestStoreOptions): Promise<TestStore> {
  await store.extension.close()
  return open({ ...options, directory: store.directory })
}

function clientOf(store: TestStore, size = B): TestClient {
  return new TestClient(store.endpoint, new TestFile(size), store.storeId)
}

async function committed(client: TestClient): Promise<string> {
  await client.claim(await client.upload(0, client.file.size))
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  return answer.url
}

async function commitStatus(client: TestClient): Promise<number> {
  const { group, size } = client.file
  return (await client.operate({ op: 'commit', group, home: client.home, size, root: await client.file.root() })).status
}

test('a committed file whose tombstone is forgotten cannot be opened again by its id', async () => {
  const store = await open({ expireMs: 1 })
  const client = clientOf(store)
  const url = await committed(client)
  while ((await client.operate({ op: 'status', group: client.file.group, home: store.storeId })).status !== 404) {
    await store.extension.cleanUp()
  }
  const other = new TestClient(
    store.endpoint,
    Object.assign(new TestFile(B), { group: client.file.group }),
    store.storeId,
  )
  const answer = await other.post(other.session(0, B), other.file.bytes)
  expect([answer.status, answer.headers.get('reconcile-state')]).toEqual([410, 'committed'])
  expect(answer.headers.get('reconcile-upload')).toBe(url)
  expect(await readFile(join(store.directory, client.file.group))).toEqual(client.file.bytes)
})

test('P89: a naming function that repeats a name opens no second upload of it, before and after the commit', async () => {
  const store = await open({ tus: { namingFunction: () => 'always' } })
  const client = clientOf(store)
  const session = await client.upload(0, B)
  for (const state of ['open', 'committed']) {
    const other = clientOf(store)
    const answer = await other.post(other.session(0, B), other.file.bytes)
    expect([state, answer.status, JSON.parse(answer.text).error.code]).toEqual([state, 400, 'contradiction'])
    if (state === 'committed') break
    await client.claim(session)
    expect((await client.commit()).status).toBe(201)
  }
  expect(await readFile(join(store.directory, 'always'))).toEqual(client.file.bytes)
})

test('P91: a commit never overwrites a file that has come to its name meanwhile', async () => {
  const store = await open()
  const client = clientOf(store)
  await client.claim(await client.upload(0, B))
  const path = join(store.directory, client.file.group)
  await writeFile(path, 'somebody else')
  expect(await commitStatus(client)).toBe(400)
  expect(await commitStatus(client)).toBe(400)
  expect(await readFile(path, 'utf8')).toBe('somebody else')
})

test('commits that come together run one after the other, and the finish hook never overlaps itself', async () => {
  let runs = 0
  let running = 0
  let most = 0
  const store = await open({
    tus: {
      onUploadFinish: async () => {
        const run = ++runs
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 20))
        running--
        if (run === 1) throw new Error('the database is away')
        return {}
      },
    },
  })
  const client = clientOf(store)
  await client.claim(await client.upload(0, B))
  const statuses = await Promise.all([1, 2, 3, 4, 5].map(() => commitStatus(client)))
  expect(statuses.sort()).toEqual([200, 200, 200, 200, 500])
  expect([runs, most]).toEqual([2, 1])
})

test('a finish hook that has not ended runs at the next start, without a client, with a request to the file', async () => {
  const store = await open({
    tus: {
      onUploadFinish: async () => {
        throw new Error('killed')
      },
    },
  })
  const client = clientOf(store)
  await client.claim(await client.upload(0, B))
  expect(await commitStatus(client)).toBe(500)
  const seen: string[] = []
  const onUploadFinish = async (req: { url: string }, upload: { id: string; offset: number }) => {
    seen.push(`${req.url} ${upload.id} ${upload.offset}`)
    return {}
  }
  const again = await restart(store, { tus: { onUploadFinish } })
  await again.logged((entry) => entry.msg === 'finish hook run after a crash' && entry.hook === 'done')
  const line = `${store.endpoint}/${client.file.group} ${client.file.group} ${B}`
  expect(seen).toEqual([line])
  const third = await restart(again, { tus: { onUploadFinish } })
  expect(await commitStatus(new TestClient(third.endpoint, client.file, third.storeId))).toBe(200)
  expect(seen).toEqual([line])
})

test('a commit that was cut by a crash after its rename is ended at the next start, with its hook', async () => {
  const store = await open()
  const client = clientOf(store)
  await committed(client)
  await store.extension.close()
  // as it stood before the last write of the record
  await rewriteHeader(store.directory, client.file.group, (header) => ({
    ...header,
    state: 'committing',
    commit: header.commit && { ...header.commit, hook: 'pending' },
  }))
  let runs = 0
  const tus = {
    onUploadFinish: async () => {
      runs++
      return {}
    },
  }
  const again = await open({ directory: store.directory, tus })
  await again.logged((entry) => entry.msg === 'finish hook run after a crash')
  expect(runs).toBe(1)
  expect(await readFile(join(store.directory, client.file.group))).toEqual(client.file.bytes)
})
