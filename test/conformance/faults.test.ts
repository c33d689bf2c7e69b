import { randomFillSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startReconcileServers, type TestServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { B, BYTES, type Session, SlowRequest, send, sha256, WireClient, WireEvents, WireFile } from './wire-client.js'

// what goes wrong between clients of one upload, with the bytes compared at the end

let servers: TestServers
let endpoint = ''
let storeId = ''
beforeAll(async () => {
  servers = await startReconcileServers({ count: 1 })
  endpoint = servers.servers[0]?.direct ?? ''
  storeId = (await send(endpoint, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
})
afterAll(() => servers.close())

const clientOf = (size: number): WireClient => new WireClient(endpoint, storeId, new WireFile(size))
const TUS = { 'Tus-Resumable': '1.0.0' }
const wrong = (length: number): Buffer<ArrayBuffer> => randomFillSync(Buffer.alloc(length))

/** A body of `bytes` for a session, of which the server has recorded the first `sent`; the rest is for the test. */
async function beginBody(
  client: WireClient,
  session: Session,
  body: { readonly offset: number; readonly bytes: Uint8Array; readonly sent: number },
): Promise<{ readonly slow: SlowRequest; readonly rest: Uint8Array }> {
  const events = await WireEvents.open(endpoint, client.file.client)
  const slow = new SlowRequest('PATCH', session.url, {
    ...client.headers(session),
    'Upload-Offset': body.offset,
    'Content-Type': BYTES,
    'Content-Length': body.bytes.length,
  })
  slow.request.write(body.bytes.subarray(0, body.sent))
  const offset = body.offset + body.sent
  await events.until(({ data }) => data.type === 'offset' && data.session === session.id && data.offset === offset)
  events.close()
  return { slow, rest: body.bytes.subarray(body.sent) }
}

/** Committed, and the same bytes over the wire and on the disk. */
async function expectWhole(client: WireClient): Promise<void> {
  const { json, status } = await client.commit()
  expect([status === 201 || status === 200, json.state]).toEqual([true, 'committed'])
  expect(sha256((await send(String(json.url))).bytes)).toEqual(sha256(client.file.bytes))
  await expectOnDisk(client)
}

async function expectOnDisk(client: WireClient): Promise<void> {
  const made = await readFile(join(servers.servers[0]?.directory ?? '', client.file.group))
  expect(made.equals(client.file.bytes)).toBe(true)
}

const claimAll = (client: WireClient, session: Session): ReturnType<WireClient['ask']> =>
  client.ask('claim', { claims: [{ session: session.id, start: 0, leaves: client.file.leaves() }] })

test('of two sessions with overlapping ranges the corrupt one leaves no byte, whichever comes first', async () => {
  for (const isFirst of [true, false]) {
    const client = clientOf(5 * B + 77)
    const corrupt = client.session(0, 4 * B)
    const right = client.session(2 * B, client.file.size)
    const spoilt = Buffer.from(client.file.bytes.subarray(0, 4 * B))
    spoilt.fill(0, B + 5, 3 * B + 1)
    const order = [() => client.create(corrupt, spoilt), () => client.create(right, client.file.bytes.subarray(2 * B))]
    for (const upload of isFirst ? order : order.reverse()) await upload()
    const first = await claimAll(client, right)
    expect(first.json.verified).toEqual([
      [0, B],
      [2 * B, client.file.size],
    ])
    expect((await client.commit()).json).toMatchObject({ state: 'incomplete', missing: [[B, 2 * B]] })
    await client.claim(await client.upload(B, 2 * B, 'again'))
    await expectWhole(client)
  }
})

test("after DELETE of a block's owner in mid-body, another that writes the block makes it whole", async () => {
  const client = clientOf(3 * B)
  const owner = client.session(0, 3 * B)
  await client.create(owner)
  const lost = await beginBody(client, owner, { offset: 0, bytes: wrong(3 * B), sent: B + 1000 })
  const other = client.session(0, 3 * B)
  await client.create(other)
  const body = await beginBody(client, other, { offset: 0, bytes: client.file.bytes, sent: B + 2000 })
  expect((await send(owner.url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  expect((await lost.slow.reply).status).toBe(410)
  lost.slow.request.write(lost.rest)
  body.slow.request.end(body.rest)
  expect((await body.slow.reply).status).toBe(204)
  await claimAll(client, other)
  // the whole block that the owner had left was another's
  const missing = (await client.commit()).json.missing
  if (missing !== undefined) await client.claim(await client.upload(0, B, 'again'))
  await expectWhole(client)
})

test('a PATCH past its planned end writes nothing there', async () => {
  const client = clientOf(4 * B)
  const session = client.session(0, 4 * B)
  await client.create(session)
  const bytes = Buffer.concat([client.file.bytes.subarray(0, 2 * B), wrong(2 * B)])
  const body = await beginBody(client, session, { offset: 0, bytes, sent: B + 10 })
  const plan = await client.ask('plan', { changes: [{ session: session.id, end: 2 * B }] })
  expect(plan.json.sessions).toMatchObject([{ end: 2 * B }])
  const thief = client.session(2 * B, 4 * B)
  await client.create(thief, client.file.bytes.subarray(2 * B, 3 * B))
  body.slow.request.end(body.rest)
  const { status, headers } = await body.slow.reply
  expect([status, headers['reconcile-state'], headers['upload-offset']]).toEqual([409, 'completed', String(2 * B)])
  expect((await client.patch(session, 2 * B, wrong(B))).status).toBe(409)
  expect((await client.patch(thief, B, client.file.bytes.subarray(3 * B))).status).toBe(204)
  const claimed = await claimAll(client, thief)
  expect(claimed.json).toMatchObject({ verified: [[0, 4 * B]], bad: [] })
  await expectWhole(client)
})

test('of two clients on one upload the later attempt goes on, and the bytes of the earlier come to nothing', async () => {
  const client = clientOf(3 * B)
  const session = client.session(0, 3 * B)
  await client.create(session)
  const bytes = Buffer.concat([client.file.bytes.subarray(0, B + 50), wrong(2 * B - 50)])
  const earlier = await beginBody(client, session, { offset: 0, bytes, sent: B + 50 })
  const head = await client.head(session)
  expect([head.status, head.headers.get('upload-offset')]).toEqual([200, String(B + 50)])
  expect((await earlier.slow.reply).status).toBe(409)
  earlier.slow.request.write(earlier.rest)
  expect((await client.patch(session, B + 50, client.file.bytes.subarray(B + 50))).status).toBe(204)
  expect((await client.claim(session)).json).toMatchObject({ verified: [[0, 3 * B]], bad: [] })
  await expectWhole(client)
})

test('a POST that is repeated after DELETE takes nothing, and the upload goes on without it', async () => {
  const client = clientOf(2 * B)
  const session = client.session(0, 2 * B)
  expect((await client.create(session, wrong(B + 7))).status).toBe(201)
  expect((await send(session.url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  for (const body of [wrong(2 * B), undefined]) expect((await client.create(session, body)).status).toBe(410)
  const other = client.session(0, 2 * B)
  await client.create(other, client.file.bytes)
  // the block that the deleted session had made whole is not what is claimed
  expect((await client.claim(other)).json.verified).toEqual([[0, 2 * B]])
  await expectWhole(client)
})

test('a ghost that still writes while the file is committed, and after, changes nothing', async () => {
  const client = clientOf(3 * B + 9)
  const session = client.session(0, client.file.size)
  await client.create(session, client.file.bytes.subarray(0, B))
  const ghost = client.session(B, client.file.size)
  await client.create(ghost)
  const body = await beginBody(client, ghost, { offset: 0, bytes: wrong(client.file.size - B), sent: B + 100 })
  await client.patch(session, B, client.file.bytes.subarray(B))
  const claimed = claimAll(client, session)
  const committed = claimed.then(() => client.commit())
  body.slow.request.end(body.rest)
  await committed
  const { status } = await body.slow.reply.catch(() => ({ status: 0 }))
  expect([0, 204, 409, 410]).toContain(status)
  await expectWhole(client)
  expect((await client.patch(ghost, B + 100, wrong(10))).status).toBe(410)
  await expectOnDisk(client)
})
