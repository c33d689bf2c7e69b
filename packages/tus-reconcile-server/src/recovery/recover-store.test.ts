import { link, mkdtemp, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { GroupHeader, GroupRecord } from '../records/partition-index.js'
import { sha256, TestClient } from '../testing/client.js'
import { readRecords, rewriteHeader, rewriteRecord } from '../testing/records.js'
import { startStore, type TestStore } from '../testing/server.js'
import { clientOf } from '../testing/stores.js'

const B = BLOCK_SIZE
const PLACEHOLDER = 'tus-reconcile-server: a file comes here\n00000000-0000-4000-8000-000000000000\n'
const SIZE = 4 * B + 5
let store: TestStore
let client: TestClient
beforeEach(async () => {
  store = await startStore({ directory: await mkdtemp(join(tmpdir(), 'reconcile-recovery-')) })
  client = clientOf(store, SIZE)
})
afterEach(async () => {
  await store.close()
  await rm(store.directory, { recursive: true, force: true })
})

const dataPath = (): string => join(store.directory, '.reconcile', 'groups', `${client.file.group}.data`)
const filePath = (): string => join(store.directory, client.file.group)

/** What a crash has left is as `harm` makes it; then the server starts again. */
async function restart(harm: () => Promise<unknown>, expireMs?: number): Promise<void> {
  await store.close()
  await harm()
  store = await startStore({ directory: store.directory, ...(expireMs === undefined ? {} : { expireMs }) })
  client = new TestClient(store.endpoint, client.file, store.storeId)
}

const findings = (): unknown[] => store.log.flatMap(({ finding, msg }) => (finding ? [[finding, msg]] : []))
const REPAIRED = 'repaired after a crash'
const rewrite = (change: Partial<GroupHeader>): Promise<void> =>
  rewriteHeader(store.directory, client.file.group, (header) => ({ ...header, ...change }))

/** The session goes on at `from`, and the file comes out whole. */
async function finish(session: Awaited<ReturnType<TestClient['upload']>>, from: number): Promise<void> {
  const url = `${store.endpoint}/${session.url.split('/').at(-1)}`
  const again = { ...session, url, attempt: session.attempt + 1 }
  expect((await client.head(again)).headers.get('upload-offset')).toBe(String(from))
  const patch = await client.patch({ ...again, attempt: again.attempt + 1 }, from, client.file.bytes.subarray(from))
  expect(patch.headers.get('upload-offset')).toBe(String(SIZE))
  await client.claim(session, 0, SIZE)
  expect((await client.commit()).answer.state).toBe('committed')
  expect(await client.download(`${store.endpoint}/${client.file.group}`)).toBe(sha256(client.file.bytes))
}

async function begin(bytes: number): Promise<Awaited<ReturnType<TestClient['upload']>>> {
  const session = client.session(0, SIZE)
  await client.post(session, client.file.bytes.subarray(0, bytes))
  return session
}

async function commit(): Promise<void> {
  await client.claim(await client.upload(0, SIZE))
  expect((await client.commit()).answer.state).toBe('committed')
}

async function expectFile(): Promise<void> {
  expect((await readFile(filePath())).equals(client.file.bytes)).toBe(true)
  const head = await fetch(`${store.endpoint}/${client.file.group}`, {
    method: 'HEAD',
    headers: { 'Tus-Resumable': '1.0.0' },
  })
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, String(SIZE)])
  expect(await readdir(join(store.directory, '.reconcile', 'groups'))).toEqual([])
}

test('an orderly restart finds nothing', async () => {
  const session = await begin(2 * B + 7)
  await client.claim(session, 0, B)
  await restart(async () => {})
  expect(findings()).toEqual([])
  await finish(session, 2 * B + 7)
})

test('where the data file is gone its blocks are to come again, and sessions begin anew', async () => {
  const session = await begin(2 * B + 7)
  await client.claim(session, 0, B)
  await restart(() => rm(dataPath()))
  expect(findings()).toEqual([['bytes-lost', REPAIRED]])
  expect((await client.ask('status')).answer).toMatchObject({
    verified: [],
    stored: [],
    bad: [[0, 2 * B]].map(toRange),
  })
  await finish(session, 0)
})

test('where the data file is shorter than recorded the session goes on where its bytes end', async () => {
  const session = await begin(3 * B + 7)
  await client.claim(session, 0, B)
  await restart(() => truncate(dataPath(), 2 * B + 1))
  expect(findings()).toEqual([['bytes-lost', REPAIRED]])
  const { verified, stored } = (await client.ask('status')).answer
  expect([verified, stored]).toEqual([[[0, B]].map(toRange), [[0, 2 * B]].map(toRange)])
  await finish(session, 2 * B)
})

test('where only the begun block is shorter than recorded it begins anew', async () => {
  const session = await begin(2 * B + 7)
  await restart(() => truncate(dataPath(), 2 * B + 6))
  expect(findings()).toEqual([['bytes-lost', REPAIRED]])
  await finish(session, 2 * B)
})

test('a block that an ended session had begun is free again', async () => {
  const session = await begin(2 * B + 7)
  await restart(() =>
    rewriteRecord(store.directory, client.file.group, (record) => ({
      ...record,
      sessions: record.sessions.map((held) => ({ ...held, state: 'terminated' })),
    })),
  )
  expect(findings()).toEqual([['owner-gone', REPAIRED]])
  const other = client.session(0, SIZE)
  await client.post(other, client.file.bytes)
  expect((await client.claim(other)).answer.verified).toEqual([{ start: 0, end: SIZE }])
  expect((await client.head({ ...session, url: `${store.endpoint}/${session.url.split('/').at(-1)}` })).status).toBe(
    410,
  )
})

test('temporary files and bytes kept aside of sessions that are no more are removed', async () => {
  const session = await begin(B)
  const own = (name: string) => join(store.directory, '.reconcile', name)
  await restart(async () => {
    await writeFile(own('store-id.tmp'), 'half')
    await writeFile(own(`groups/${client.file.group}.side`), 'copies')
  })
  expect(await readdir(own('.'))).toEqual(['groups', 'index', 'lock', 'store-id'])
  expect(await readdir(own('groups'))).toEqual([`${client.file.group}.data`])
  await finish(session, B)
})

test('a commit that was begun is ended', async () => {
  await commit()
  await restart(async () => {
    await rename(filePath(), dataPath())
    await rm(`${filePath()}.json`)
    await rewrite({ state: 'committing' })
  })
  await expectFile()
})

test.each([
  ['whole', PLACEHOLDER],
  ['not yet written', ''],
])('a commit that was cut after its placeholder, %s, is ended', async (_how, text) => {
  await commit()
  await restart(async () => {
    await rename(filePath(), dataPath())
    await rm(`${filePath()}.json`)
    await writeFile(filePath(), text)
    await rewrite({ state: 'committing' })
  })
  expect(findings()).toEqual([['placeholder-left', REPAIRED]])
  await expectFile()
})

test('a commit whose file has both names is ended', async () => {
  await commit()
  await restart(async () => {
    await link(filePath(), dataPath())
    await rm(`${filePath()}.json`)
    await rewrite({ state: 'committing' })
  })
  await expectFile()
})

test('a commit whose bytes have gone to the file, which the record does not say, is ended', async () => {
  await commit()
  await restart(async () => {
    await rm(`${filePath()}.json`)
    await rewrite({ state: 'committing' })
  })
  await expectFile()
})

test('a commit that was begun and has lost its bytes is open again, without them', async () => {
  let verified: GroupRecord['blocks'] = []
  await client.claim(await client.upload(0, SIZE))
  await restart(async () => {
    verified = (await readRecords(store.directory))[0]?.blocks ?? []
    const root = await client.file.root()
    await rewrite({ state: 'committing', commit: { size: SIZE, root, hook: 'pending', refusal: null } })
    await rm(dataPath())
  })
  expect(verified.length).toBe(5)
  expect(findings()).toEqual([['bytes-lost', REPAIRED]])
  expect((await client.ask('status')).answer).toMatchObject({ state: 'open', verified: [] })
  await client.claim(await client.upload(0, SIZE))
  expect((await client.commit()).answer.state).toBe('committed')
  await expectFile()
})

test('a commit that was begun and has lost some of its bytes is open again, and stays so', async () => {
  await client.claim(await client.upload(0, SIZE))
  await restart(async () => {
    const root = await client.file.root()
    await rewrite({ state: 'committing', commit: { size: SIZE, root, hook: 'pending', refusal: null } })
    await truncate(dataPath(), 2 * B)
  })
  expect(findings()).toEqual([['bytes-lost', REPAIRED]])
  await restart(async () => {})
  expect((await client.ask('status')).answer).toMatchObject({ state: 'open', verified: [{ start: 0, end: 2 * B }] })
  await client.claim(await client.upload(2 * B, SIZE))
  expect((await client.commit()).answer.state).toBe('committed')
  await expectFile()
})

test('what is known of a committed file is written again', async () => {
  await commit()
  await restart(() => rm(`${filePath()}.json`))
  expect(findings()).toEqual([['commit-cut', REPAIRED]])
  await expectFile()
})

test('a committed file that has been deleted stays deleted', async () => {
  await commit()
  await client.send(`${store.endpoint}/${client.file.group}`, {
    method: 'DELETE',
    headers: { 'Tus-Resumable': '1.0.0' },
  })
  await restart(async () => {})
  expect(findings()).toEqual([])
  await expect(stat(filePath())).rejects.toMatchObject({ code: 'ENOENT' })
})

test('bytes of a group that has ended are removed', async () => {
  await begin(B)
  await client.ask('terminate')
  await restart(() => writeFile(dataPath(), 'left'))
  expect(findings()).toEqual([['data-left', REPAIRED]])
  expect(await readdir(join(store.directory, '.reconcile', 'groups'))).toEqual([])
})

test('bytes without a record are kept as long as an unfinished upload, and then removed', async () => {
  const orphan = join(store.directory, '.reconcile', 'groups', 'AAAAAAAAAAAAAAAAAAAAAA.data')
  await restart(() => writeFile(orphan, 'whose'), 60_000)
  expect(findings()).toEqual([['no-record', 'bytes without a record: keep']])
  expect(await readFile(orphan, 'utf8')).toBe('whose')
  const old = Date.now() / 1000 - 61
  await restart(() => utimes(orphan, old, old), 60_000)
  expect(findings()).toEqual([['no-record', 'bytes without a record: remove']])
  await expect(stat(orphan)).rejects.toMatchObject({ code: 'ENOENT' })
})

function toRange([start = 0, end = 0]: readonly number[]): { start: number; end: number } {
  return { start, end }
}
