import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, BYTES, newId, send, sha256 } from './wire-client.js'
import { headerOf, offsetOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()
const PLAIN = { 'Tus-Resumable': '1.0.0' }

rule(
  9,
  "Every answer but GET's MUST carry `Tus-Resumable`; a client takes one below 500 without it, other than 429, for the network's (captive portal, proxy) and not for the server's",
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    const replies = [
      await send(pair.home, { method: 'OPTIONS' }),
      await client.create(session, client.file.bytes.subarray(0, 9)),
      await client.create(session),
      await client.patch(session, 8, Buffer.alloc(1)),
      await client.head(session),
      await send(`${pair.home}/${newId()}`, { method: 'HEAD', headers: PLAIN }),
      await client.ask('status'),
      await client.postOperation('{'),
      await send(session.url, { method: 'DELETE', headers: PLAIN }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([204, 201, 200, 409, 200, 404, 200, 400, 204])
    expect(replies.map((reply) => headerOf(reply, 'tus-resumable'))).toEqual(replies.map(() => '1.0.0'))
  },
)

rule(10, '`group`, `session`, `client` and `home` MUST be 22 characters of base64url each, else 400', async () => {
  const client = pair.client(B)
  for (const name of ['group', 'session', 'client', 'home']) {
    for (const id of ['', 'short', 'A'.repeat(23), `${'A'.repeat(21)}/`, `../${'A'.repeat(19)}`]) {
      const reply = await client.create(client.session(0, B), undefined, { [name]: id })
      expect([name, id, reply.status]).toEqual([name, id, 400])
    }
  }
})

rule(
  15,
  "A creation that names another home than the group's, or another start than the session's, MUST be refused with 400",
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    await client.create(session, client.file.bytes.subarray(0, 5))
    expect((await client.create(client.session(B, 2 * B), undefined, { home: pair.mirrorId })).status).toBe(400)
    expect((await client.create(session, undefined, { start: B })).status).toBe(400)
    expect(offsetOf(await client.create(session))).toBe(5)
  },
)

rule(
  16,
  "A creation MUST carry either `Upload-Length` (of the session's range) or `Upload-Defer-Length: 1`, else 400",
  async () => {
    const client = pair.client(B)
    const create = (headers: Record<string, string>) => {
      const session = client.session(0, B)
      return send(pair.home, { method: 'POST', headers: { ...client.headers(session), ...headers } })
    }
    expect((await create({})).status).toBe(400)
    expect((await create({ 'Upload-Length': String(B), 'Upload-Defer-Length': '1' })).status).toBe(400)
    expect((await create({ 'Upload-Length': String(B) })).status).toBe(201)
    expect((await create({ 'Upload-Defer-Length': '1' })).status).toBe(201)
  },
)

rule(17, 'A body MUST have `Content-Type: application/offset+octet-stream`, else 400', async () => {
  const client = pair.client(B)
  const session = client.session(0, B)
  const headers = { ...client.headers(session), 'Upload-Defer-Length': '1', 'Content-Type': 'text/plain' }
  expect((await send(pair.home, { method: 'POST', headers, body: 'abc' })).status).toBe(400)
  expect((await client.create(session)).status).toBe(201)
  expect(offsetOf(await client.create(session))).toBe(0)
})

rule(19, 'The URL of a session MUST be `<endpoint>/<group>.<session>`', async () => {
  const client = pair.client(B)
  const session = client.session(0, B)
  const reply = await client.create(session)
  expect(headerOf(reply, 'location')).toBe(`${pair.home}/${client.file.group}.${session.id}`)
})

rule(28, "PATCH at the session's offset MUST be answered 204 with the new `Upload-Offset`", async () => {
  const client = pair.client(2 * B)
  const session = client.session(0, 2 * B)
  await client.create(session)
  let at = 0
  for (const length of [1, 1000, B, B - 1001]) {
    const reply = await client.patch(session, at, client.file.bytes.subarray(at, at + length))
    at += length
    expect([reply.status, offsetOf(reply)]).toEqual([204, at])
  }
})

rule(
  30,
  '`Upload-Length` on a PATCH sets an open end; the same value again MUST NOT be an error, another one is refused with 400',
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    await client.create(session, undefined, { end: null })
    const patch = (offset: number, length: number) =>
      send(session.url, {
        method: 'PATCH',
        headers: {
          ...client.headers(session),
          'Content-Type': BYTES,
          'Upload-Offset': String(offset),
          'Upload-Length': String(length),
        },
        body: client.file.bytes.subarray(offset, offset + 10),
      })
    expect((await patch(0, B)).status).toBe(204)
    expect((await patch(10, B)).status).toBe(204)
    expect((await patch(20, 2 * B)).status).toBe(400)
    const head = await client.head(session)
    expect([offsetOf(head), headerOf(head, 'upload-length')]).toEqual([20, String(B)])
  },
)

rule(
  35,
  'HEAD of a session MUST be answered 200 with `Upload-Offset`, `Upload-Concat: partial`, and `Upload-Length` or `Upload-Defer-Length: 1`',
  async () => {
    const client = pair.client(3 * B)
    const open = client.session(0, B)
    await client.create(open, client.file.bytes.subarray(0, 7), { end: null })
    const planned = client.session(B, 3 * B)
    await client.create(planned)
    const heads = [await client.head(open), await client.head(planned)]
    const told = ['upload-offset', 'upload-concat', 'upload-length', 'upload-defer-length']
    expect(heads.map((head) => [head.status, ...told.map((name) => headerOf(head, name))])).toEqual([
      [200, '7', 'partial', null, '1'],
      [200, '0', 'partial', String(2 * B), null],
    ])
  },
)

rule(
  37,
  "A block MUST have one writer: the first session whose bytes reach the block's first byte while it is free",
  async () => {
    const client = pair.client(2 * B)
    const first = client.session(0, 2 * B)
    await client.create(first, client.file.bytes.subarray(0, 10))
    const second = client.session(0, 2 * B)
    // other bytes for the block that is taken, the file's for the one that is free
    await client.create(second, Buffer.concat([Buffer.alloc(B), client.file.bytes.subarray(B)]))
    expect((await client.patch(first, 10, client.file.bytes.subarray(10))).status).toBe(204)
    expect((await client.claim(first)).json).toMatchObject({ verified: [[0, 2 * B]], bad: [] })
    const { json } = await client.commit()
    expect(sha256((await send(String(json.url))).bytes)).toEqual(sha256(client.file.bytes))
  },
)

rule(39, 'A verified block MUST never be written again', async () => {
  const client = pair.client(3 * B)
  await client.claim(await client.upload(0, B))
  const late = client.session(0, 3 * B, 'late')
  await client.create(late, Buffer.concat([Buffer.alloc(B), client.file.bytes.subarray(B)]))
  await client.claim(late)
  const { json } = await client.commit()
  expect(sha256((await send(String(json.url))).bytes)).toEqual(sha256(client.file.bytes))
})
