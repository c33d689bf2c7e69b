import { appendFile, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Answer, sha256, TestClient, TestFile } from '../../testing/client.js'
import { startStore, type TestStore } from '../../testing/server.js'
import type { TusRequest } from '../../tus-request.js'

const B = BLOCK_SIZE
const SIZE = 3 * B + 100
let directory: string
let store: TestStore
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-dedup-'))
  store = await start()
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

function start(): Promise<TestStore> {
  const scope = (req: TusRequest) => req.headers.get('x-tenant')?.match(/./)?.input
  return startStore({ directory, reconcile: { dedup: { scope } } })
}

/** A client of a tenant, with a file of those bytes. */
class TenantClient extends TestClient {
  readonly tenant: string
  constructor(tenant: string, bytes?: Uint8Array) {
    const file = new TestFile(bytes?.length ?? SIZE)
    if (bytes) file.bytes.set(bytes)
    super(store.endpoint, file, store.storeId)
    this.tenant = tenant
  }

  override send(url: string, init: RequestInit): Promise<Answer> {
    return super.send(url, { ...init, headers: { 'x-tenant': this.tenant, ...init.headers } })
  }

  blocks(): { start: number; leaf: string }[] {
    return this.file.leaves().map((leaf, i) => ({ start: i * B, leaf }))
  }

  /** Opens the group, sends nothing, and asks what is there. */
  async attach(): Promise<readonly { start: number; end: number }[]> {
    await this.post(this.session(0, this.file.size))
    return (await this.ask('have', { blocks: this.blocks() })).answer.attached
  }

  async committed(): Promise<string> {
    const { answer } = await this.commit()
    if (answer.state !== 'committed') throw new Error(answer.state)
    return answer.url
  }

  async uploaded(): Promise<string> {
    await this.claim(await this.upload(0, this.file.size))
    return this.committed()
  }
}

test('a file that the tenant has is attached and committed without a byte sent, also after a restart', async () => {
  const first = new TenantClient('acme')
  await first.uploaded()
  for (const restart of [false, true]) {
    if (restart) {
      await store.close()
      store = await start()
    }
    const again = new TenantClient('acme', first.file.bytes)
    expect(await again.attach()).toEqual([{ start: 0, end: SIZE }])
    expect(await again.download(await again.committed())).toBe(sha256(first.file.bytes))
  }
})

test('blocks are known at other offsets too, and in uploads that are not finished', async () => {
  const first = new TenantClient('acme')
  await first.claim(await first.upload(0, 2 * B))
  const moved = new TenantClient('acme', Buffer.concat([Buffer.alloc(B, 1), first.file.bytes.subarray(0, 2 * B)]))
  expect(await moved.attach()).toEqual([{ start: B, end: 3 * B }])
  await moved.claim(await moved.upload(0, B))
  expect(await moved.download(await moved.committed())).toBe(sha256(moved.file.bytes))
})

test('a client that has lost what it knew asks what its upload holds, and goes on', async () => {
  const client = new TenantClient('')
  await client.claim(await client.upload(B, 2 * B))
  const { answer } = await client.ask('have', { blocks: client.blocks() })
  expect(answer.attached).toEqual([{ start: B, end: 2 * B }])
})

test('a block that is known is recognised when it is claimed, and its bytes need not come', async () => {
  const first = new TenantClient('acme')
  await first.uploaded()
  const again = new TenantClient('acme', first.file.bytes)
  const session = again.session(0, SIZE)
  await again.post(session)
  const whole = { start: 0, end: SIZE }
  expect((await again.claim(session)).answer).toMatchObject({ verified: [whole], attached: [whole] })
  const late = await again.patch(session, 0, Buffer.alloc(SIZE))
  expect([late.status, late.headers.get('reconcile-state')]).toEqual([410, 'superseded'])
  expect(await again.download(await again.committed())).toBe(sha256(first.file.bytes))
})

test('a claim names what was copied and not what was sent, and does so again when it is repeated, after a restart too', async () => {
  const first = new TenantClient('acme')
  await first.claim(await first.upload(0, 2 * B))
  const again = new TenantClient('acme', first.file.bytes)
  const session = again.session(0, SIZE)
  await again.post(session, again.file.bytes.subarray(0, B))
  const told = { verified: [{ start: 0, end: 2 * B }], attached: [{ start: B, end: 2 * B }] }
  for (let i = 0; i < 2; i++) expect((await again.claim(session)).answer).toMatchObject(told)
  await store.close()
  store = await start()
  const restarted = new TenantClient('acme', first.file.bytes)
  Object.assign(restarted.file, { group: again.file.group })
  expect((await restarted.claim(session)).answer).toMatchObject(told)
})

test('without a scope equal blocks of one file are sent once, and other files are not looked at', async () => {
  const bytes = Buffer.concat([Buffer.alloc(3 * B, 7), Buffer.from('end')])
  const [one, other] = [new TenantClient('', bytes), new TenantClient('', bytes)]
  for (const client of [one, other]) {
    await client.claim(await client.upload(0, B))
    const rest = client.session(B, bytes.length)
    await client.post(rest)
    expect((await client.claim(rest)).answer.verified).toEqual([{ start: B, end: 3 * B }])
    expect((await client.ask('have', { blocks: client.blocks() })).answer.attached).toEqual([{ start: 0, end: 3 * B }])
  }
})

test('a tenant gets the same answers to the byte, whether another one has the bytes or nobody', async () => {
  const owner = new TenantClient('acme')
  await owner.uploaded()
  const answersTo = async (bytes: Uint8Array): Promise<string> => {
    const client = new TenantClient('rival', bytes)
    const session = client.session(0, SIZE)
    const facts = { group: client.file.group, home: store.storeId, client: client.file.client }
    const leaves = client.file.leaves()
    const answers = [
      await client.post(session),
      await client.operate({ op: 'have', ...facts, blocks: client.blocks() }),
      await client.operate({ op: 'claim', ...facts, claims: [{ session: session.id, start: 0, leaves }] }),
      await client.operate({ op: 'status', ...facts }),
      await client.operate({ op: 'commit', ...facts, size: SIZE, root: await client.file.root() }),
    ]
    const isTheirs = ([name]: [string, string]) => !/^(date|x-request-id|reconcile-load)$/.test(name)
    const told = answers.map(({ status, headers, text }) => [status, [...headers].filter(isTheirs), text])
    const names = [client.file.group, session.id].join('|')
    return JSON.stringify(told)
      .replace(new RegExp(names, 'g'), 'id')
      .replace(/\w{3}, \d\d \w+ \d+ [\d:]+ GMT/g, 'date')
  }
  const known = await answersTo(owner.file.bytes)
  expect(known).toBe(await answersTo(new TestFile(SIZE).bytes))
  expect(known).toContain('incomplete')
})

test("who is of another tenant than the group's is told of this group alone", async () => {
  const owner = new TenantClient('acme')
  await owner.uploaded()
  const opened = new TenantClient('acme', owner.file.bytes)
  await opened.post(opened.session(0, SIZE))
  const facts = { group: opened.file.group, home: store.storeId, blocks: opened.blocks() }
  const asked = await new TenantClient('rival').operate({ op: 'have', ...facts })
  expect(JSON.parse(asked.text)).toEqual({ attached: [] })
  const own = await opened.operate({ op: 'have', ...facts })
  expect(JSON.parse(own.text)).toEqual({ attached: [[0, SIZE]] })
})

test('bytes that have changed on the disk, or are deleted, are not attached', async () => {
  const first = new TenantClient('acme')
  const url = await first.uploaded()
  const file = await open(join(directory, first.file.group), 'r+')
  await file.write(Buffer.from('changed'), 0, 7, B)
  await file.close()
  const again = new TenantClient('acme', first.file.bytes)
  expect(await again.attach()).toEqual([
    { start: 0, end: B },
    { start: 2 * B, end: SIZE },
  ])
  await again.ask('terminate')
  expect((await first.send(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })).status).toBe(204)
  await appendFile(join(directory, first.file.group), first.file.bytes)
  expect(await new TenantClient('acme', first.file.bytes).attach()).toEqual([])
})
