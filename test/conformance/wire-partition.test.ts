import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, newId, readJson, send } from './wire-client.js'
import { codeOf, offsetOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(10, '`group`, `session`, `client` and `home` MUST be 22 characters of base64url each, else 400', async () => {
  const client = pair.client(B)
  for (const name of ['group', 'session', 'client', 'home']) {
    for (const id of ['', 'short', 'A'.repeat(23), `${'A'.repeat(21)}/`, `../${'A'.repeat(19)}`]) {
      const reply = await client.create(client.session(0, B), undefined, { [name]: id })
      expect([name, id, reply.status]).toEqual([name, id, 400])
    }
  }
})

rule(11, '`start` MUST be a multiple of the block size, else 400', async () => {
  const client = pair.client(2 * B)
  for (const start of [1, B - 1, B + 1]) {
    expect((await client.create(client.session(0, B), undefined, { start, end: null })).status).toBe(400)
  }
})

rule(
  12,
  '`end` MUST be a multiple of the block size or equal to `size`, and not lie before `start`, else 400',
  async () => {
    const client = pair.client(2 * B + 5)
    const statuses = async (start: number, end: number) => (await client.create(client.session(start, end))).status
    expect(await statuses(0, B + 5)).toBe(400)
    expect(await statuses(B, 0)).toBe(400)
    expect(await statuses(B, 2 * B + 5)).toBe(201)
  },
)

rule(13, 'A header that names another session than the URL MUST be refused with 400', async () => {
  const client = pair.client(B)
  const session = await client.open(0, B)
  const reply = await client.patch(session, 0, Buffer.alloc(9), { session: newId() })
  expect(reply.status).toBe(400)
  expect(offsetOf(await client.head(session))).toBe(0)
})

rule(
  14,
  'The first `size` that a creation or `commit` names binds the group; another one later MUST be refused with 400',
  async () => {
    const client = pair.client(2 * B)
    await client.upload(0, B)
    const other = await client.create(client.session(B, 2 * B), undefined, { size: 3 * B })
    expect([other.status, codeOf(readJson(other.bytes.toString()))]).toEqual([400, 'contradiction'])
    expect((await client.ask('commit', { size: B, root: client.file.root })).status).toBe(400)
  },
)

rule(
  15,
  "A creation that names another home than the group's, or another start than the session's, MUST be refused with 400",
  async () => {
    const client = pair.client(2 * B)
    const session = await client.open(0, 2 * B, 5)
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
