import { pino } from 'pino'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { endGroup } from '../../groups/ending.js'
import { Groups } from '../../groups/groups.js'
import { PeerClient } from '../../peers/peer-client.js'
import type { AddressedMessage } from '../../peers/peer-messages.js'
import { PeerNetwork } from '../../peers/peer-network.js'
import { VoteBook } from '../../peers/vote-book.js'
import { MemoryIndex } from '../../records/memory-index.js'
import { newId, TestClient, TestFile } from '../../testing/client.js'
import { endpointOf, startCluster } from '../../testing/cluster.js'
import { factsOf } from '../../testing/groups.js'
import { MemoryBackend } from '../../testing/memory-backend.js'
import { freePort, SECRET, type TestStore, type TestStoreOptions } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'

const B = BLOCK_SIZE
const stores = testStores()

async function pair(options: (i: number) => TestStoreOptions): Promise<[TestStore, TestStore]> {
  const [home, mirror] = await startCluster(2, options)
  if (!home || !mirror) throw new Error('two stores')
  stores.keep(home, mirror)
  return [home, mirror]
}

const STRANGER = { 'X-User': 'stranger' }

/** A home that lets no stranger in, and a mirror that lets everybody in. */
function guarded(seen: string[]): (i: number) => TestStoreOptions {
  const onIncomingRequest = async (req: { headers: Headers }, id: string) => {
    seen.push(`${req.headers.get('x-user')} ${id}`)
    if (req.headers.get('x-user') === 'stranger') throw { status_code: 403, body: 'not you' }
  }
  return (i) => (i === 0 ? { tus: { onIncomingRequest } } : {})
}

test("a relayed operation passes the home's gate with the client's headers, or has its status", async () => {
  const seen: string[] = []
  const [home, mirror] = await pair(guarded(seen))
  const file = new TestFile(B)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  await atMirror.claim(await atMirror.upload(0, B))
  const operation = { group: file.group, home: home.storeId }
  const commit = { op: 'commit', ...operation, size: B, root: await file.root() } as const
  for (const refused of [{ op: 'terminate', ...operation } as const, commit]) {
    const answer = await atMirror.operate(refused, STRANGER)
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([
      403,
      { code: 'refused-by-hook', message: 'not you' },
    ])
  }
  const headers = { 'Tus-Resumable': '1.0.0', ...STRANGER }
  expect((await atMirror.send(`${mirror.endpoint}/${file.group}`, { method: 'DELETE', headers })).status).toBe(403)
  expect(seen.filter((line) => line === `stranger ${file.group}`).length).toBe(3)
  // it is the client's, and says nothing of the peer
  const entry = await home.logged(({ msg }) => msg === "refused to a peer's client")
  expect(entry).toMatchObject({ level: 30, op: 'relay', code: 'refused-by-hook' })
  expect(home.log.filter(({ msg }) => msg === 'peer refused')).toEqual([])
  expect((await atMirror.commit()).status).toBe(201)
})

test("what a mirror opens passes the home's gate, whether the home has the group or not", async () => {
  const [home, mirror] = await pair(guarded([]))
  const file = new TestFile(B)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  expect((await atMirror.post(atMirror.session(0, B), file.bytes, STRANGER)).status).toBe(403)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  await atHome.post(atHome.session(0, B))
  expect((await atMirror.post(atMirror.session(0, B), file.bytes, STRANGER)).status).toBe(403)
  expect((await atMirror.post(atMirror.session(0, B), file.bytes)).status).toBe(201)
})

test('a committed file that home and mirror have forgotten is 410 through the mirror too', async () => {
  const [home, mirror] = await pair(() => ({ expireMs: 1 }))
  const file = new TestFile(B)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  await atHome.claim(await atHome.upload(0, B))
  expect((await atHome.commit()).status).toBe(201)
  while ((await atHome.operate({ op: 'status', group: file.group, home: home.storeId })).status !== 404) {
    await home.extension.cleanUp()
  }
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  const answer = await atMirror.post(atMirror.session(0, B), file.bytes)
  expect([answer.status, answer.headers.get('reconcile-state')]).toEqual([410, 'committed'])
  expect(answer.headers.get('reconcile-upload')).toBe(`${home.endpoint}/${file.group}`)
})

async function say({ endpoint }: TestStore, message: AddressedMessage): Promise<number> {
  const client = new PeerClient({ endpoint, internalEndpoint: endpoint, secret: () => SECRET })
  const { status } = await client.send(message, { idleMs: 5000 })
  client.close()
  return status
}

test('P90: only its home says how a group has ended, and nobody says it to the home', async () => {
  const [home, mirror] = await pair(() => ({}))
  const file = new TestFile(B)
  const atHome = new TestClient(home.endpoint, file, home.storeId)
  const atMirror = new TestClient(mirror.endpoint, file, home.storeId)
  await atMirror.upload(0, B)
  const ended = { op: 'ended', group: file.group, state: 'terminated', url: null } as const
  expect(await say(home, { ...ended, from: mirror.storeId })).toBe(400)
  expect(await say(home, { ...ended, from: home.storeId })).toBe(400)
  expect(await say(mirror, { ...ended, from: newId() })).toBe(400)
  expect((await atHome.ask('status')).answer.state).toBe('open')
  expect((await atMirror.ask('status', { store: mirror.storeId })).answer.state).toBe('open')
  expect(await say(mirror, { ...ended, from: home.storeId })).toBe(200)
  expect((await atMirror.ask('status', { store: mirror.storeId })).answer.state).toBe('terminated')
})

test('P202: what is verified is taken at the home only, coverage from the home only, and nothing beyond the file', async () => {
  const [home, mirror] = await pair(() => ({}))
  const file = new TestFile(B)
  await new TestClient(mirror.endpoint, file, home.storeId).upload(0, B)
  const { group } = file
  const [leaf = ''] = file.leaves()
  const verified = { op: 'verified', from: mirror.storeId, group, blocks: [{ index: 0, leaf }] } as const
  expect(await say(mirror, { ...verified, from: home.storeId })).toBe(400)
  expect(await say(home, { ...verified, blocks: [{ index: 1, leaf }] })).toBe(400)
  expect(await say(home, { ...verified, blocks: [{ index: 2 ** 50, leaf }] })).toBe(400)
  const superseded = { op: 'superseded', from: home.storeId, group, verified: [{ start: 0, end: B }] } as const
  expect(await say(home, { ...superseded, from: mirror.storeId })).toBe(400)
  expect(await say(mirror, { ...superseded, from: newId() })).toBe(400)
  expect(await say(mirror, { ...superseded, verified: [{ start: 0, end: 2 ** 50 }] })).toBe(400)
  expect(await say(mirror, superseded)).toBe(200)
})

test("a client's headers are not kept beyond the end of a group whose home did not answer", async () => {
  const log = pino({ level: 'silent' })
  const files = new MemoryBackend()
  const groups = new Groups({ index: new MemoryIndex(), files, now: Date.now })
  const endpoint = endpointOf(await freePort())
  const network = new PeerNetwork({
    peers: [{ endpoint, internalEndpoint: endpoint }],
    secrets: () => [SECRET],
    log,
    groups,
    votes: new VoteBook(''),
  })
  network.start(newId())
  const [id, home] = [newId(), newId()]
  const header = { group: id, partition: 'p0', session: newId(), attempt: 0, client: newId(), start: 0, home }
  const req = new Request(endpoint, { method: 'POST', headers: { Authorization: 'secret' } })
  expect(await network.openAtHome({ header, metadata: null, req })).toBeUndefined()
  const group = await groups.open(id, async () => factsOf(id, { home, opened: false }))
  expect(network.waiting).toBe(1)
  await endGroup(group, 'expired')
  expect(network.waiting).toBe(0)
  await network.close()
})
