import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, expect, test } from 'vitest'
import { PeerClient } from '../../peers/peer-client.js'
import { PEER_CONTENT_TYPE } from '../../peers/peer-messages.js'
import { ANYBODY, type Receiver, SIGNATURE_HEADER, sign } from '../../peers/signature.js'
import { newId, sha256, TestClient, TestFile } from '../../testing/client.js'
import { knows } from '../../testing/cluster.js'
import { FakePeer } from '../../testing/fake-peer.js'
import { type Recorded, RecordingProxy } from '../../testing/recording-proxy.js'
import { type Restartable, testRestartables } from '../../testing/restartable.js'
import { SECRET, type TestStoreOptions } from '../../testing/server.js'

const B = BLOCK_SIZE
const IDLE = { idleMs: 5000 }
const restartables = testRestartables()
const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function twoStores(options: TestStoreOptions = {}): Promise<[Restartable, Restartable]> {
  const [home, mirror] = await restartables(2, () => options)
  if (!home || !mirror) throw new Error('two stores')
  await Promise.all([home.start(), mirror.start()])
  await Promise.all([knows(home.store, mirror.store.storeId), knows(mirror.store, home.store.storeId)])
  return [home, mirror]
}

function speakerTo(endpoint: string): PeerClient {
  const client = new PeerClient({ endpoint, internalEndpoint: endpoint, secret: () => SECRET })
  opened.push(() => client.close())
  return client
}

async function restart(store: Restartable): Promise<void> {
  await store.stop()
  await store.start()
}

function post(endpoint: string, signature: string, body: string): Promise<Response> {
  const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': PEER_CONTENT_TYPE, [SIGNATURE_HEADER]: signature }
  return fetch(endpoint, { method: 'POST', headers, body })
}

/** What somebody gets who sends a recorded message again. */
async function replay(endpoint: string, { headers, body }: Recorded): Promise<unknown[]> {
  const answer = await post(endpoint, String(headers[SIGNATURE_HEADER.toLowerCase()]), body)
  return [answer.status, answer.headers.has(SIGNATURE_HEADER), await answer.json()]
}

const OTHER_RUN = [401, false, { error: { code: 'other-run', message: 'this is for another run or server' } }]

test('what was recorded on the wire is refused by another store, and by its own before and after a restart', async () => {
  const [home, third] = await twoStores()
  const { endpoint, storeId } = home.store
  const proxy = await RecordingProxy.start(endpoint)
  opened.push(() => proxy.close())
  const [mirror] = await restartables(1, () => ({
    reconcile: { peers: [{ endpoint, internalEndpoint: proxy.endpoint }] },
  }))
  if (!mirror) throw new Error('a mirror')
  await mirror.start()
  await knows(mirror.store, storeId)
  const client = new TestClient(mirror.store.endpoint, new TestFile(B), storeId)
  await client.claim(await client.upload(0, B))
  await client.ask('status', { store: storeId })
  const ops = ['open', 'verified', 'relay'] as const
  const messages = await Promise.all(ops.map((op) => proxy.recorded((body) => JSON.parse(body).op === op)))
  const hello = await proxy.recorded((body) => JSON.parse(body).op === 'hello')
  for (const message of [...messages, hello]) {
    const error = { code: 'not-signed', message: 'this message was received before' }
    expect(await replay(endpoint, message)).toEqual([401, false, { error }])
  }
  for (const message of messages) expect(await replay(third.store.endpoint, message)).toEqual(OTHER_RUN)
  await restart(home)
  for (const message of messages) expect(await replay(endpoint, message)).toEqual(OTHER_RUN)
  // a greeting tells and changes nothing: who is there is in the answer to OPTIONS too
  const facts = { storeId, run: expect.stringMatching(/^[\w-]{22}$/) }
  expect(await replay(endpoint, hello)).toEqual([200, true, facts])
  expect((await client.ask('status', { store: storeId })).status).toBe(200)
})

test('a message for another run is refused in the same words whether its secret is known or not, one for anybody is none', async () => {
  const [home] = await twoStores()
  const { endpoint, storeId } = home.store
  const body = JSON.stringify({ op: 'report', from: newId(), group: newId() })
  const send = (secret: string, to: Receiver) => {
    const { header } = sign(secret, { method: 'POST', path: '/files', to, body }, Date.now())
    return post(endpoint, header, body)
  }
  for (const secret of [SECRET, 'a-secret-that-nobody-knows']) {
    const answer = await send(secret, { storeId, run: newId() })
    expect([answer.status, answer.headers.has(SIGNATURE_HEADER), await answer.json()]).toEqual(OTHER_RUN)
  }
  const forAnybody = await send(SECRET, ANYBODY)
  expect([forAnybody.status, await forAnybody.json()]).toMatchObject([401, { error: { code: 'not-signed' } }])
})

test('a peer that was restarted between two messages is greeted and asked again: no relay fails', async () => {
  const [home, mirror] = await twoStores()
  const { storeId } = home.store
  const file = new TestFile(B)
  const client = new TestClient(mirror.store.endpoint, file, storeId)
  await client.claim(await client.upload(0, B))
  await home.store.logged(({ msg }) => msg === 'pulled')
  await restart(home)
  expect((await client.ask('status', { store: storeId })).status).toBe(200)
  await restart(home)
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(await client.download(answer.url)).toBe(sha256(file.bytes))
  expect(mirror.store.log.filter(({ msg }) => msg === 'relay failed')).toEqual([])
})

test('messages, votes and pulls go on over restarts of the peer; many at once find its new run together', async () => {
  const [home] = await twoStores({ reconcile: { commitAt: 'any' } })
  const { endpoint, storeId } = home.store
  const file = new TestFile(2 * B)
  const client = new TestClient(endpoint, file, storeId)
  await client.claim(await client.upload(0, 2 * B))
  const speaker = speakerTo(endpoint)
  const [from, { group }] = [newId(), file]
  expect(await speaker.greet(from, IDLE)).toBe(storeId)
  await restart(home)
  const pieces: Uint8Array[] = []
  for await (const piece of speaker.stream({ op: 'read', from, group, start: 0, end: B }, IDLE)) pieces.push(piece)
  expect(sha256(Buffer.concat(pieces))).toBe(sha256(file.bytes.subarray(0, B)))
  await restart(home)
  const vote = { op: 'vote', from, group: newId(), round: 1, home: null, voters: 2 } as const
  expect((await speaker.send(vote, IDLE)).status).toBe(200)
  await restart(home)
  const many = Array.from({ length: 20 }, () => speaker.send({ op: 'report', from, group }, IDLE))
  expect((await Promise.all(many)).map(({ status }) => status)).toEqual(many.map(() => 200))
})

test('what was meant for one store is never said to another that has come to its address', async () => {
  const [first] = await twoStores()
  const { endpoint, storeId } = first.store
  const speaker = speakerTo(endpoint)
  expect(await speaker.greet(newId(), IDLE)).toBe(storeId)
  await first.remove()
  await first.start()
  const report = { op: 'report', from: newId(), group: newId() } as const
  for (let i = 0; i < 2; i++) await expect(speaker.send(report, IDLE)).rejects.toThrow(/another server/)
  expect(await speaker.greet(newId(), IDLE)).toBe(first.store.storeId)
  expect((await speaker.send(report, IDLE)).status).toBe(404)
})

test('who calls every message one for another run is greeted once, and told again only if the run is new', async () => {
  const fake = await FakePeer.start()
  opened.push(() => fake.close())
  fake.answer = (_message, res) => {
    res.writeHead(401).end(JSON.stringify({ error: { code: 'other-run', message: 'not for me' } }))
    return undefined
  }
  const speaker = speakerTo(fake.endpoint)
  const opsOf = async () => {
    fake.messages.length = 0
    await expect(speaker.send({ op: 'report', from: newId(), group: newId() }, IDLE)).rejects.toThrow(/another run/)
    return fake.messages.map(({ op }) => op)
  }
  await speaker.greet(newId(), IDLE)
  expect(await opsOf()).toEqual(['report', 'hello'])
  fake.run = newId()
  expect(await opsOf()).toEqual(['report', 'hello', 'report'])
})
