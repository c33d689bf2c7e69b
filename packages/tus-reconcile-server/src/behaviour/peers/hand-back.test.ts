import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { sha256, TestClient, TestFile } from '../../testing/client.js'
import { knows } from '../../testing/cluster.js'
import { type Restartable, testRestartables } from '../../testing/restartable.js'
import type { TestStoreOptions } from '../../testing/server.js'

const B = BLOCK_SIZE
const restartables = testRestartables()

async function twoStores(): Promise<[Restartable, Restartable]> {
  const [home, mirror] = await restartables(2)
  if (!home || !mirror) throw new Error('two stores')
  return [home, mirror]
}

test("P3: The OPTIONS answer MUST carry `Store-Id`, a random name that stays with the store's bytes over restarts", async () => {
  const [home, mirror] = await twoStores()
  const idOf = async (store: Restartable) => {
    const { endpoint } = await store.start()
    return (await fetch(endpoint, { method: 'OPTIONS' })).headers.get('store-id')
  }
  const first = await idOf(home)
  expect(first).toMatch(/^[A-Za-z0-9_-]{22}$/)
  expect(await idOf(mirror)).not.toBe(first)
  await home.stop()
  expect(await idOf(home)).toBe(first)
})

const ME = { 'X-User': 'me' }

/** A home that opens nothing for a request without its user. */
function onlyForMe(seen: string[]): TestStoreOptions {
  const onUploadCreate = async (req: { headers: Headers }) => {
    seen.push(String(req.headers.get('x-user')))
    if (req.headers.get('x-user') !== 'me') throw { status_code: 403, body: 'not you' }
    return {}
  }
  return { tus: { onUploadCreate } }
}

test("P206: a mirror that was restarted opens a group at its home with the headers of the client's next request", async () => {
  const [home, mirror] = await twoStores()
  const { storeId } = await home.start()
  await mirror.start()
  await knows(mirror.store, storeId)
  await home.stop()
  const file = new TestFile(2 * B)
  const first = new TestClient(mirror.store.endpoint, file, storeId)
  const session = first.session(0, 2 * B)
  expect((await first.post(session, file.bytes, ME)).status).toBe(201)
  await mirror.stop()
  const second = await mirror.start()
  const seen: string[] = []
  await home.start(onlyForMe(seen))
  await knows(second, storeId)
  expect(seen).toEqual([])
  const client = new TestClient(second.endpoint, file, storeId)
  // the bytes are still there, and a request with the user's headers is enough
  const claims = [{ session: session.id, start: 0, leaves: file.leaves() }]
  const operation = { group: file.group, home: storeId, client: file.client, store: second.storeId }
  expect((await client.operate({ op: 'claim', ...operation, claims }, ME)).status).toBe(200)
  await second.logged(({ msg }) => msg === 'group opened at its home')
  expect(seen).toEqual(['me'])
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(await client.download(answer.url)).toBe(sha256(file.bytes))
})

test('DELETE of a file at a mirror whose home is away ends it there, and is asked of the home when it is back', async () => {
  const [home, mirror] = await twoStores()
  const { storeId } = await home.start()
  const store = await mirror.start()
  await knows(store, storeId)
  const file = new TestFile(2 * B)
  const client = new TestClient(store.endpoint, file, storeId)
  const session = await client.upload(0, B)
  await home.stop()
  const headers = { 'Tus-Resumable': '1.0.0', ...ME }
  expect((await client.send(`${store.endpoint}/${file.group}`, { method: 'DELETE', headers })).status).toBe(204)
  const head = await client.head(session)
  expect([head.status, head.headers.get('reconcile-state')]).toEqual([410, 'terminated'])
  const seen: string[] = []
  const onIncomingRequest = async (req: { headers: Headers }) => void seen.push(String(req.headers.get('x-user')))
  const again = await home.start({ tus: { onIncomingRequest } })
  await again.logged(({ msg, group }) => msg === 'group terminated' && group === file.group)
  expect(seen).toContain('me')
})

test('what a mirror verified while the home was killed is fetched when it is back, without being asked', async () => {
  const [home, mirror] = await twoStores()
  const { storeId } = await home.start()
  const { endpoint } = await mirror.start()
  await knows(mirror.store, storeId)
  const file = new TestFile(4 * B)
  const atMirror = new TestClient(endpoint, file, storeId)
  const session = await atMirror.upload(0, 2 * B)
  await home.stop()
  await atMirror.claim(session)
  await atMirror.claim(await atMirror.upload(2 * B, 4 * B))
  const again = await home.start()
  await again.logged((entry) => entry.msg === 'pulled')
  const commit = await atMirror.commit()
  expect([201, 202]).toContain(commit.status)
  expect(commit.answer.state === 'committed' ? commit.answer.pulledAtCommit : 0).toBe(0)
})

test('what a client ends at a mirror while the home is away is asked of the home later, as that client', async () => {
  const [home, mirror] = await twoStores()
  const { storeId } = await home.start()
  const { endpoint } = await mirror.start()
  await knows(mirror.store, storeId)
  const file = new TestFile(2 * B)
  const atMirror = new TestClient(endpoint, file, storeId)
  await atMirror.upload(0, B)
  await home.stop()
  const terminate = { op: 'terminate', group: file.group, home: storeId } as const
  expect((await atMirror.operate(terminate, { 'X-User': 'me' })).status).toBe(200)
  const seen: string[] = []
  const onIncomingRequest = async (req: { headers: Headers }, id: string) => {
    seen.push(`${req.headers.get('x-user')} ${id}`)
  }
  const again = await home.start({ tus: { onIncomingRequest } })
  await again.logged((entry) => entry.msg === 'group terminated' && entry.group === file.group)
  expect(seen).toContain(`me ${file.group}`)
})
