import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { PEER_CONTENT_TYPE } from '../../peers/peer-messages.js'
import { newId, sha256, TestClient, TestFile } from '../../testing/client.js'
import { startCluster } from '../../testing/cluster.js'
import { freePort, SECRET, startStore, type TestStore } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'
import { TestEvents } from '../../testing/streams.js'

const B = BLOCK_SIZE
const stores = testStores()

async function cluster(...args: Parameters<typeof startCluster>): Promise<[TestStore, TestStore, TestStore]> {
  const started = await startCluster(...args)
  stores.keep(...started)
  const [home, mirror, third] = started
  if (!home || !mirror) throw new Error('a cluster has two stores at least')
  return [home, mirror, third ?? mirror]
}

test('what a mirror verified is pulled early, and commit through the mirror moves nothing', async () => {
  const [home, mirror] = await cluster(2)
  const file = new TestFile(20 * B + 77)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  const a = await atMirror.upload(0, 12 * B)
  const b = await atHome.upload(12 * B, file.size)
  const events = await new TestEvents(home.endpoint, file.client).open()
  await atHome.claim(b)
  await atMirror.claim(a)
  const verified = new Set<number>()
  await events.until((event) => {
    if (event.type === 'pulled')
      for (const range of event.ranges) for (let at = range.start; at < range.end; at += B) verified.add(at)
    return verified.size === 12
  })
  const commit = await atMirror.commit()
  expect(commit.status).toBe(201)
  expect(commit.answer).toMatchObject({ state: 'committed', pulledAtCommit: 0, pulledEarly: 12 * B })
  if (commit.answer.state !== 'committed') throw new Error('not committed')
  expect(commit.answer.url).toBe(`${home.endpoint}/${file.group}`)
  expect(await atHome.download(commit.answer.url)).toBe(sha256(file.bytes))
  await mirror.logged((entry) => entry.msg === 'group ended' && entry.state === 'committed')
  expect(await readdir(join(mirror.directory, '.reconcile', 'groups'))).toEqual([])
  const { answer } = await atMirror.ask('status')
  expect(answer).toMatchObject({ state: 'committed', url: commit.answer.url })
  events.close()
})

test('the loser on a peer is stopped at once when its range is verified elsewhere', async () => {
  const [home, mirror] = await cluster(2)
  const file = new TestFile(8 * B)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  const loser = atMirror.session(0, 8 * B, 'p0')
  const events = await new TestEvents(mirror.endpoint, file.client).open()
  await atMirror.post(loser)
  const slow = await atMirror.beginPatch(loser, B + 100)
  const winner = await atHome.upload(0, 8 * B, 'p0')
  await atHome.claim(winner)
  const answer = await slow.answer
  expect(answer.status).toBe(410)
  expect(answer.headers['reconcile-state']).toBe('superseded')
  await slow.closed
  await events.until((event) => event.type === 'superseded' && event.session === loser.id)
  await mirror.logged((entry) => entry.msg === 'session superseded' && entry.session === loser.id)
  const late = await atMirror.post(atMirror.session(0, 8 * B, 'p0'), file.bytes)
  expect(late.status).toBe(410)
  expect(late.headers.get('reconcile-state')).toBe('superseded')
  events.close()
})

test('a session at the home loses to a copy on a mirror, and the blocks are taken over', async () => {
  const [home, mirror] = await cluster(2)
  const file = new TestFile(4 * B)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  const stalled = atHome.session(0, 4 * B, 'p0')
  await atHome.post(stalled)
  // half a block of wrong bytes: whoever ends up in the file must not be this writer
  const slow = await atHome.beginPatch(stalled, B / 2, Buffer.alloc(4 * B))
  await atMirror.claim(await atMirror.upload(0, 4 * B, 'p0'))
  expect((await slow.answer).status).toBe(410)
  const commit = await atHome.commit()
  expect(commit.status).toBe(201)
  if (commit.answer.state !== 'committed') throw new Error('not committed')
  expect(await atHome.download(commit.answer.url)).toBe(sha256(file.bytes))
})

test('a refusal of the home is passed on by the mirror', async () => {
  const [home, mirror] = await cluster(2, (i) =>
    i === 0
      ? {
          tus: {
            onUploadCreate: async () => {
              throw { status_code: 403, body: 'no such user' }
            },
          },
        }
      : {},
  )
  const client = new TestClient(mirror.endpoint, new TestFile(B), home.storeId)
  const answer = await client.post(client.session(0, B), client.file.bytes)
  expect(answer.status).toBe(403)
  expect(JSON.parse(answer.text)).toEqual({ error: { code: 'refused-by-hook', message: 'no such user' } })
})

test('terminate through a mirror ends the group everywhere and leaves tombstones', async () => {
  const [home, mirror] = await cluster(2)
  const file = new TestFile(2 * B)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  const session = await atMirror.upload(0, B)
  await atHome.upload(B, 2 * B)
  expect((await atMirror.ask('terminate')).answer).toEqual({ state: 'terminated' })
  await mirror.logged((entry) => entry.msg === 'group ended')
  const head = await atMirror.head(session)
  expect(head.status).toBe(410)
  expect(head.headers.get('reconcile-state')).toBe('terminated')
  for (const store of [home, mirror]) expect(await readdir(join(store.directory, '.reconcile', 'groups'))).toEqual([])
})

test("P225: GET of a file that was committed at another store MUST be answered 404 with `Reconcile-Upload`, the file's URL there, as long as the store remembers the upload", async () => {
  const [home, mirror] = await cluster(2)
  const atMirror = new TestClient(mirror.endpoint, new TestFile(B), home.storeId)
  await atMirror.claim(await atMirror.upload(0, B))
  const { answer } = await atMirror.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  await mirror.logged(({ msg, state }) => msg === 'group ended' && state === 'committed')
  const get = await fetch(`${mirror.endpoint}/${atMirror.file.group}`)
  expect([get.status, get.headers.get('reconcile-upload')]).toEqual([404, answer.url])
  expect(await atMirror.download(answer.url)).toBe(sha256(atMirror.file.bytes))
})

test('while the home is away a mirror takes sessions, and hands them over when it is back', async () => {
  const [homePort, mirrorPort] = [await freePort(), await freePort()]
  const endpoints = [homePort, mirrorPort].map((port) => `http://127.0.0.1:${port}/files`)
  const first = await startStore()
  const directory = first.directory
  const homeId = first.storeId
  await first.extension.close()
  first.http.closeAllConnections()
  await new Promise((resolve) => first.http.close(resolve))
  const mirror = await startStore({
    port: mirrorPort,
    reconcile: { peers: [{ endpoint: endpoints[0] ?? '' }], secrets: [SECRET] },
  })
  const file = new TestFile(3 * B)
  const atMirror = new TestClient(mirror.endpoint, file, homeId)
  const session = await atMirror.upload(0, 3 * B)
  await atMirror.claim(session)
  expect(
    (
      await atMirror.operate({
        op: 'commit',
        group: file.group,
        home: homeId,
        size: file.size,
        root: await file.root(),
      })
    ).status,
  ).toBe(503)
  const home = await startStore({
    directory,
    port: homePort,
    reconcile: { peers: [{ endpoint: endpoints[1] ?? '' }], secrets: [SECRET] },
  })
  stores.keep(home, mirror)
  await home.logged((entry) => entry.msg === 'pulled')
  const commit = await atMirror.commit()
  expect([200, 201]).toContain(commit.status)
  if (commit.answer.state !== 'committed') throw new Error('not committed')
  expect(await atMirror.download(commit.answer.url)).toBe(sha256(file.bytes))
})

test('a peer message without a signature, or with another secret, is refused', async () => {
  const [home] = await cluster(2)
  const answer = await fetch(home.endpoint, {
    method: 'POST',
    headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': PEER_CONTENT_TYPE },
    body: JSON.stringify({ op: 'hello', from: home.storeId }),
  })
  expect(answer.status).toBe(401)
  const stranger = await startStore({
    reconcile: { peers: [{ endpoint: home.endpoint }], secrets: ['another-secret-0123456789'] },
  })
  stores.keep(stranger)
  await home.logged((entry) => entry.msg === 'peer refused' && String(entry.reason).includes('secret'))
})

test('a commit right after the claim knows what a mirror has not reported yet', async () => {
  const [home, mirror] = await cluster(2)
  const file = new TestFile(2 * B)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  await atMirror.claim(await atMirror.upload(0, 2 * B))
  const commit = await new TestClient(home.endpoint, file, home.storeId).commit()
  expect(commit.status).toBe(201)
})

test('three stores: a third party learns the home by its id and relays to any store', async () => {
  const [home, mirror, third] = await cluster(3)
  const file = new TestFile(2 * B)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  const session = await atMirror.upload(0, 2 * B)
  const through = new TestClient(third.endpoint, file, home.storeId)
  const claim = await through.ask('claim', {
    store: mirror.storeId,
    claims: [{ session: session.id, start: 0, leaves: file.leaves() }],
  })
  expect(claim.answer.verified).toEqual([{ start: 0, end: 2 * B }])
  expect((await through.ask('status', { store: mirror.storeId })).answer.sessions[0]?.session).toBe(session.id)
  const commit = await through.commit()
  expect(commit.status).toBe(201)
  expect(commit.answer).toMatchObject({ url: `${home.endpoint}/${file.group}` })
})

test('a home that swallows everything costs a first answer at most its wait, and a later one little', async () => {
  const swallowing = createServer(() => {})
  swallowing.listen(0, '127.0.0.1')
  await once(swallowing, 'listening')
  const address = swallowing.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const mirror = await startStore({
    reconcile: { peers: [`http://127.0.0.1:${port}/files`], secrets: [SECRET] },
  })
  stores.keep(mirror)
  const homeId = newId()
  const client = new TestClient(mirror.endpoint, new TestFile(2 * B), homeId)
  const timeOf = async (start: number) => {
    const beganMs = performance.now()
    await client.upload(start, start + B)
    return performance.now() - beganMs
  }
  const firstMs = await timeOf(0)
  // a peer that says nothing is given up after 5 s
  expect(firstMs).toBeLessThan(4500)
  expect(await timeOf(B)).toBeLessThan(firstMs)
  swallowing.closeAllConnections()
  swallowing.close()
})
