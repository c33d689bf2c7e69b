import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, expect, test } from 'vitest'
import { PeerClient } from '../../peers/peer-client.js'
import { sha256, TestClient, TestFile } from '../../testing/client.js'
import { startCluster } from '../../testing/cluster.js'
import { FakePeer } from '../../testing/fake-peer.js'
import { SECRET, startStore, type TestStore } from '../../testing/server.js'

const B = BLOCK_SIZE
const opened: { close(): Promise<unknown>; directory?: string }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) {
    await each.close()
    if (each.directory !== undefined) await rm(each.directory, { recursive: true, force: true })
  }
})

/** A store whose only peer is the test's. */
async function besideFake(): Promise<[TestStore, FakePeer]> {
  const fake = await FakePeer.start()
  const store = await startStore({ reconcile: { peers: [fake.endpoint], secrets: [SECRET] } })
  opened.push(store, fake)
  await store.logged((entry) => entry.msg === 'peer known')
  return [store, fake]
}

const STRANGERS: Readonly<Record<string, (res: ServerResponse, elsewhere: string) => void>> = {
  'a redirect': (res, elsewhere) => res.writeHead(307, { Location: elsewhere }).end(),
  "a proxy's 404": (res) => res.writeHead(404, { 'Content-Type': 'text/html' }).end('<h1>no such page</h1>'),
  "a stranger's 403 in our own words": (res) =>
    res.writeHead(403).end('{"error":{"code":"refused-by-hook","message":"no"}}'),
  'a 410 that nobody signed': (res) => res.writeHead(410).end('{"state":"terminated","url":null}'),
  'a 200 that nobody signed': (res) =>
    res.writeHead(200).end('{"fileId":"a","url":null,"maxSize":null,"metadata":null}'),
}

for (const [what, say] of Object.entries(STRANGERS)) {
  test(`P82, P203: ${what} at a peer's address is not followed and no answer: bytes are taken and kept, an operation is 503`, async () => {
    let calls = 0
    const elsewhere = createServer((_req, res) => {
      calls++
      res.end()
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const address = elsewhere.address()
    const target = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/files`
    const [mirror, fake] = await besideFake()
    fake.answer = (_message, res) => {
      say(res, target)
      return undefined
    }
    const file = new TestFile(B)
    const client = new TestClient(mirror.endpoint, file, fake.storeId)
    await client.claim(await client.upload(0, B))
    const root = await file.root()
    const commit = await client.operate({ op: 'commit', group: file.group, home: fake.storeId, size: B, root })
    expect([commit.status, commit.headers.get('retry-after')]).toEqual([503, '1'])
    // asked again after a while, and refused by a stranger again
    const opens = () => fake.messages.filter(({ op }) => op === 'open').length
    const before = opens()
    while (opens() === before) await fake.heard(() => opens() > before)
    expect((await client.ask('status', { store: mirror.storeId })).answer).toMatchObject({
      state: 'open',
      verified: [{ start: 0, end: B }],
    })
    expect(calls).toBe(0)
    elsewhere.close()
  })
}

test('secrets change while the servers run, one server after the other, and no message is refused', async () => {
  const [OLD, NEW] = [SECRET, 'the-next-secret-of-the-tests']
  const secrets: string[][] = [[OLD], [OLD]]
  const [home, mirror] = await startCluster(2, (i) => ({ reconcile: { secrets: () => secrets[i] ?? [] } }))
  if (!home || !mirror) throw new Error('two stores')
  opened.push(home, mirror)
  const steps: [number, string[]][] = [
    [0, [OLD, NEW]],
    [1, [OLD, NEW]],
    [0, [NEW, OLD]],
    [1, [NEW, OLD]],
    [0, [NEW]],
    [1, [NEW]],
  ]
  for (const [server, now] of steps) {
    secrets[server] = now
    const file = new TestFile(2 * B)
    const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
    await atMirror.claim(await atMirror.upload(0, 2 * B))
    expect((await atMirror.commit()).status).toBe(201)
  }
  for (const { log } of [home, mirror]) expect(log.filter(({ msg }) => msg === 'peer refused')).toEqual([])
})

test('a peer that has another secret, or a wrong clock, is told apart from one that refuses: nothing is terminated', async () => {
  let own = SECRET
  const [home, mirror] = await startCluster(2, (i) => (i === 1 ? { reconcile: { secrets: () => [own] } } : {}))
  if (!home || !mirror) throw new Error('two stores')
  opened.push(home, mirror)
  own = 'a-secret-that-only-one-knows'
  const file = new TestFile(B)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  await atMirror.claim(await atMirror.upload(0, B))
  const entry = await mirror.logged(({ msg, op }) => msg === 'peer not reached' && op === 'open')
  expect(entry.reason).toMatch(/no peer with our secret: the signature is of no secret known here/)
  own = SECRET
  await home.logged(({ msg }) => msg === 'pulled')
  const { answer } = await atMirror.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(await atMirror.download(answer.url)).toBe(sha256(file.bytes))
})

test('P204: an answer of a peer that never ends, or is too long, ends with an error', async () => {
  const fake = await FakePeer.start()
  opened.push(fake)
  const client = new PeerClient({ endpoint: fake.endpoint, internalEndpoint: fake.endpoint, secret: () => SECRET })
  const read = { op: 'read', from: fake.storeId, group: fake.storeId, start: 0, end: B } as const
  const endless = (_message: unknown, res: ServerResponse): undefined => {
    res.writeHead(200, { 'Content-Type': 'application/octet-stream' })
    const more = (): void => void (res.destroyed || res.write(Buffer.alloc(65_536), () => setImmediate(more)))
    more()
  }
  fake.answer = endless
  await expect(
    client.send({ op: 'report', from: fake.storeId, group: fake.storeId }, { idleMs: 5000 }),
  ).rejects.toThrow(/too long/)
  let bytes = 0
  const drain = async () => {
    for await (const piece of client.stream(read, { idleMs: 5000 })) bytes += piece.length
  }
  await expect(drain()).rejects.toThrow(/more bytes/)
  expect(bytes).toBeLessThanOrEqual(B)
  fake.answer = (_message, res) => void res.writeHead(200).write('slowly')
  await expect(drain()).rejects.toThrow()
  client.close()
})

test('P205: bytes of a peer that are not what it verified are thrown away, and their blocks wanted again', async () => {
  const [home, fake] = await besideFake()
  const file = new TestFile(2 * B)
  fake.answer = (message, res) => {
    if (message.op !== 'read') return { json: message.op === 'report' ? { blocks: [] } : {} }
    res.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(Buffer.alloc(message.end - message.start))
    return undefined
  }
  const client = new TestClient(home.endpoint, file, home.storeId)
  await client.claim(await client.upload(0, B))
  const blocks = [{ index: 1, leaf: file.leaves()[1] ?? '' }]
  const peer = new PeerClient({ endpoint: home.endpoint, internalEndpoint: home.endpoint, secret: () => SECRET })
  const said = { op: 'verified', from: fake.storeId, group: file.group, blocks } as const
  expect((await peer.send(said, { idleMs: 5000 })).status).toBe(200)
  await home.logged(({ msg }) => msg === 'a peer sent other bytes than it verified')
  await expect
    .poll(async () => (await home.extension.metrics()).text)
    .toMatch(/digest_mismatches_total\{of="peer"\} [1-9]/)
  await home.logged(({ msg }) => msg === 'blocks bad')
  const commit = await client.commit()
  expect([commit.status, commit.answer]).toMatchObject([409, { missing: [{ start: B, end: 2 * B }] }])
  // the mirror hears it too, so that it ends no session that brings them
  await fake.heard((message) => message.op === 'superseded' && message.verified.every(({ end }) => end <= B))
  await client.claim(await client.upload(B, 2 * B))
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(await client.download(answer.url)).toBe(sha256(file.bytes))
  peer.close()
})

test('P61: a peer that dies in mid-pull: commit is 202, then tells what is missing, and the rest is sent here', async () => {
  const [home, fake] = await besideFake()
  const file = new TestFile(3 * B)
  fake.answer = (message, res) => {
    if (message.op !== 'read') return { json: message.op === 'report' ? { blocks: [] } : {} }
    // one block and a half, then nothing and a closed door
    res.writeHead(200, { 'Content-Type': 'application/octet-stream' })
    res.write(file.bytes.subarray(B, 2 * B + B / 2), () => void fake.close())
    return undefined
  }
  const client = new TestClient(home.endpoint, file, home.storeId)
  await client.claim(await client.upload(0, B))
  const blocks = file.leaves().map((leaf, index) => ({ index, leaf }))
  const peer = new PeerClient({ endpoint: home.endpoint, internalEndpoint: home.endpoint, secret: () => SECRET })
  await peer.send({ op: 'verified', from: fake.storeId, group: file.group, blocks }, { idleMs: 5000 })
  const first = await client.commitOnce()
  expect([first.status, first.answer]).toMatchObject([202, { state: 'pulling' }])
  const last = await client.commit()
  expect([last.status, last.answer]).toMatchObject([409, { missing: [{ start: 2 * B, end: 3 * B }] }])
  await client.claim(await client.upload(2 * B, 3 * B))
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(await client.download(answer.url)).toBe(sha256(file.bytes))
  peer.close()
})
