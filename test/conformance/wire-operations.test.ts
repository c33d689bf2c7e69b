import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, readJson, send, sha256, WireEvents, WireFile } from './wire-client.js'
import { codeOf, headerOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()
const PLAIN = { 'Tus-Resumable': '1.0.0' }

rule(
  41,
  'An operation is a POST of JSON to the endpoint with `Content-Type: application/tus-reconcile+json`, and its answer MUST be JSON',
  async () => {
    const client = pair.client(B)
    await client.upload(0, B)
    for (const op of ['status', 'terminate']) {
      const reply = await client.ask(op)
      expect([reply.status, headerOf(reply, 'content-type')]).toEqual([200, 'application/json'])
    }
  },
)

rule(
  42,
  'A refusal MUST be JSON too: `{"error":{"code":"…","message":"…"}}`, with a stable code of section 8',
  async () => {
    const reply = await pair.client(B).ask('status')
    expect([reply.status, headerOf(reply, 'content-type')]).toEqual([404, 'application/json'])
    expect(reply.json).toEqual({ error: { code: 'unknown-group', message: expect.any(String) } })
  },
)

rule(
  47,
  '`status` MUST tell what is verified, stored and bad, each session with its recorded offset, and the `url` once committed',
  async () => {
    const client = pair.client(3 * B)
    const right = await client.upload(0, B)
    const stored = await client.upload(B, 2 * B)
    const wrong = client.session(2 * B, 3 * B)
    await client.create(wrong, Buffer.alloc(B))
    await client.claim(right)
    await client.claim(wrong)
    const { json } = await client.ask('status')
    expect(json).toMatchObject({
      state: 'open',
      size: 3 * B,
      verified: [[0, B]],
      stored: [[0, 2 * B]],
      bad: [[2 * B, 3 * B]],
      url: null,
    })
    const told = [right, stored, wrong].map(({ id, partition, start, end }) => ({ session: id, partition, start, end }))
    expect(json.sessions).toMatchObject(told.map((session) => ({ ...session, offset: B })))
    await client.claim(stored)
    await client.claim(await client.upload(2 * B, 3 * B))
    const commit = await client.commit()
    expect((await client.ask('status')).json).toMatchObject({ state: 'committed', url: commit.json.url })
  },
)

rule(
  48,
  '`status` of a group that has ended MUST be answered 200; every other operation on it is refused with 410, but a repeated `commit` or `terminate`',
  async () => {
    for (const end of ['commit', 'terminate'] as const) {
      const client = pair.client(B)
      const session = await client.upload(0, B)
      await client.claim(session)
      const ended = () => (end === 'commit' ? client.commit() : client.ask('terminate'))
      await ended()
      expect((await ended()).status).toBe(200)
      expect((await client.ask('status')).status).toBe(200)
      expect((await client.claim(session)).status).toBe(410)
      expect((await client.ask('plan', { changes: [] })).status).toBe(410)
      expect((await client.ask('have', { blocks: [] })).status).toBe(410)
    }
  },
)

rule(52, 'A block whose claimed digest is the digest of the stored bytes MUST become verified', async () => {
  const client = pair.client(2 * B + 1)
  const session = await client.upload(0, 2 * B + 1)
  expect((await client.claim(session)).json).toMatchObject({ verified: [[0, 2 * B + 1]], bad: [] })
})

rule(56, 'A claim MUST start at a multiple of the block size and end within the file, else 400', async () => {
  const client = pair.client(B + 1)
  const session = await client.upload(0, B + 1)
  const leaves = client.file.leaves()
  const claim = (start: number, of: string[]) =>
    client.ask('claim', { claims: [{ session: session.id, start, leaves: of }] })
  expect((await claim(1, leaves)).status).toBe(400)
  expect((await claim(B, leaves)).status).toBe(400)
  expect((await claim(0, leaves)).status).toBe(200)
})

rule(
  58,
  '`commit` MUST make the file only when every block is verified at the home and their Merkle root is the one given',
  async () => {
    const client = pair.client(2 * B)
    const a = await client.upload(0, B)
    const b = await client.upload(B, 2 * B)
    await client.claim(a)
    expect((await client.commit()).status).toBe(409)
    await client.claim(b)
    expect((await client.commit(new WireFile(2 * B).root)).status).toBe(460)
    expect((await send(`${pair.home}/${client.file.group}`)).status).toBe(404)
    expect((await client.commit()).status).toBe(201)
  },
)

rule(63, 'A repeat of `commit` with another size or root MUST be refused with 400', async () => {
  const client = pair.client(B)
  await client.claim(await client.upload(0, B))
  await client.commit()
  expect((await client.commit(new WireFile(B).root)).status).toBe(400)
  expect((await client.ask('commit', { size: B + 1, root: client.file.root })).status).toBe(400)
  expect((await client.commit()).status).toBe(200)
})

rule(
  65,
  'The digest of a block is SHA-256 of its bytes, written as 43 characters of base64url whose two spare bits are zero; another spelling MUST be refused',
  async () => {
    const client = pair.client(B)
    const session = await client.upload(0, B)
    const leaf = sha256(client.file.bytes).toString('base64url')
    const spare = `${leaf.slice(0, 42)}${String.fromCharCode(leaf.charCodeAt(42) + 1)}`
    expect(Buffer.from(spare, 'base64url')).toEqual(Buffer.from(leaf, 'base64url'))
    for (const wrong of [spare, `${leaf}=`, leaf.slice(1), Buffer.from(leaf, 'base64url').toString('hex')]) {
      expect((await client.claim(session, [wrong])).status).toBe(400)
    }
    expect((await client.claim(session, [leaf])).json.verified).toEqual([[0, B]])
  },
)

rule(
  68,
  "The winner of a block is the first verified writer; a session's blocks MUST outlive the session",
  async () => {
    const client = pair.client(2 * B)
    const first = client.session(0, 2 * B, 'p')
    await client.create(first, client.file.bytes.subarray(0, B + 1))
    await client.claim(first, client.file.leaves(0, B))
    await client.ask('plan', { changes: [{ session: first.id, drop: true }] })
    expect((await client.ask('status')).json).toMatchObject({ verified: [[0, B]] })
    await client.claim(await client.upload(B, 2 * B))
    const { json } = await client.commit()
    expect(sha256((await send(String(json.url))).bytes)).toEqual(sha256(client.file.bytes))
  },
)

rule(
  73,
  'DELETE of a file that is not committed MUST end its group as `terminate` does; PATCH of it is refused with 400',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.upload(0, B)
    const url = `${pair.home}/${client.file.group}`
    const headers = { ...PLAIN, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
    expect((await send(url, { method: 'PATCH', headers, body: 'abc' })).status).toBe(400)
    expect((await send(url, { method: 'DELETE', headers: PLAIN })).status).toBe(204)
    expect((await client.ask('status')).json.state).toBe('terminated')
    const late = await client.patch(session, B, Buffer.alloc(1))
    expect([late.status, headerOf(late, 'reconcile-state')]).toEqual([410, 'terminated'])
  },
)

rule(76, 'An `offset` event MUST tell a recorded offset: it is an acknowledgement', async () => {
  const client = pair.client(4 * B)
  const session = client.session(0, 4 * B)
  await client.create(session)
  const stream = await WireEvents.open(pair.home, client.file.client)
  const patch = client.patch(session, 0, client.file.bytes)
  const told = await stream.until(({ data }) => data.type === 'offset' && data.session === session.id)
  const [known] = Object((await client.ask('status')).json).sessions
  expect(Number(known.offset)).toBeGreaterThanOrEqual(Number(told.data.offset))
  expect((await patch).status).toBe(204)
  stream.close()
})

rule(
  89,
  "A creation MUST NOT open a group whose file's name is taken: 410 with `Reconcile-State: committed` when the name is the group's id, else 400",
  async () => {
    const client = pair.client(B)
    await client.claim(await client.upload(0, B))
    const { json } = await client.commit()
    const reply = await client.create(client.session(0, B), client.file.bytes)
    expect([reply.status, headerOf(reply, 'reconcile-state')]).toEqual([410, 'committed'])
    expect(headerOf(reply, 'reconcile-upload')).toBe(json.url)
  },
)

rule(85, 'What was relayed MUST NOT be relayed again: a server that is not the one meant answers 404', async () => {
  const client = pair.client(B)
  await client.upload(0, B)
  const facts = { group: client.file.group, home: pair.homeId }
  const relay = (endpoint: string, operation: object) =>
    pair.say(endpoint, { op: 'relay', endpoint, operation: { ...facts, ...operation }, headers: [] })
  const reply = await relay(pair.mirror, { op: 'commit', size: B, root: client.file.root })
  expect([reply.status, codeOf(readJson(reply.bytes.toString()))]).toEqual([404, 'unknown-store'])
  expect((await relay(pair.home, { op: 'status' })).status).toBe(200)
})

rule(
  83,
  '`read` MUST hand out only bytes that are verified there, else 404; the home hashes what it gets again',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.upload(0, 2 * B)
    await client.claim(session, client.file.leaves(0, B))
    const read = (start: number, end: number) =>
      pair.say(pair.home, { op: 'read', group: client.file.group, start, end })
    const whole = await read(0, B)
    expect([whole.status, sha256(whole.bytes)]).toEqual([200, sha256(client.file.bytes.subarray(0, B))])
    for (const [start, end] of [
      [0, 2 * B],
      [B, B + 1],
      [0, 0],
    ] as const) {
      expect((await read(start, end)).status).toBe(404)
    }
  },
)

async function committed(bytes: number | Buffer<ArrayBuffer>): Promise<{ url: string; sha: Buffer }> {
  const client = pair.client(bytes)
  await client.claim(await client.upload(0, client.file.size))
  const { json } = await client.commit()
  return { url: String(json.url), sha: sha256(client.file.bytes) }
}

rule(140, 'DELETE of a file MUST leave every other file as it is, equal ones of its scope included', async () => {
  const bytes = Buffer.alloc(B + 5, 3)
  const [one, other] = [await committed(bytes), await committed(bytes)]
  expect((await send(one.url, { method: 'DELETE', headers: PLAIN })).status).toBe(204)
  expect((await send(one.url)).status).toBe(404)
  const left = await send(other.url)
  expect([left.status, sha256(left.bytes)]).toEqual([200, other.sha])
})

rule(141, 'A file that is committed MUST take no bytes and no other length', async () => {
  const { url, sha } = await committed(B)
  const patch = (offset: number, body: string, more: Record<string, string> = {}) => {
    const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) }
    return send(url, { method: 'PATCH', headers: { ...PLAIN, ...type, ...more }, body })
  }
  const longer = { 'Upload-Length': String(B + 4) }
  for (const reply of [await patch(0, 'more'), await patch(B, 'more'), await patch(B, 'more', longer)]) {
    expect(reply.status).toBeGreaterThanOrEqual(400)
  }
  await patch(B, '', longer)
  const { bytes } = await send(url)
  expect([bytes.length, sha256(bytes)]).toEqual([B, sha])
})
