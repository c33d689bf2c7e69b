import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, hashOf, send, TUS } from './wire-client.js'
import { hashAt, headerOf, offsetOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(
  67,
  'A session whose range is verified and which has sent all of it MUST become `completed`; one that has not MUST become `superseded` and is refused with 410',
  async () => {
    const client = pair.client(2 * B)
    const winner = client.session(0, 2 * B, 'same')
    const loser = client.session(0, 2 * B, 'same')
    await client.create(winner, client.file.bytes)
    await client.create(loser, client.file.bytes.subarray(0, B))
    expect((await client.claim(winner)).json.superseded).toEqual([loser.id])
    expect((await client.ask('status')).json.sessions).toMatchObject([
      { session: winner.id, state: 'completed' },
      { session: loser.id, state: 'superseded' },
    ])
    const reply = await client.patch(loser, B, Buffer.alloc(9))
    expect([reply.status, headerOf(reply, 'reconcile-state')]).toEqual([410, 'superseded'])
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
    expect(await hashAt(json.url)).toBe(hashOf(client.file.bytes))
  },
)

rule(
  70,
  'A group that has ended MUST leave a tombstone: sessions, old and new, are refused with 410 and `Reconcile-State`, never created',
  async () => {
    for (const state of ['terminated', 'committed']) {
      const client = pair.client(2 * B)
      const old = await client.upload(0, 2 * B)
      await client.claim(old)
      await (state === 'committed' ? client.commit() : client.ask('terminate'))
      const replies = [
        await client.create(client.session(B, 2 * B), Buffer.alloc(9)),
        await client.create(old),
        await client.head(old),
      ]
      for (const reply of replies) {
        expect([reply.status, headerOf(reply, 'reconcile-state')]).toEqual([410, state])
      }
      expect((await client.ask('status')).json.sessions).toHaveLength(1)
    }
  },
)

rule(
  71,
  "The URL of a file that is not committed MUST be answered 404 to GET, and 200 to HEAD with the bytes verified from the file's beginning as `Upload-Offset`",
  async () => {
    const client = pair.client(3 * B)
    const session = client.session(0, B)
    const created = await client.create(session, client.file.bytes.subarray(0, B))
    await client.claim(session)
    await client.claim(await client.upload(2 * B, 3 * B))
    const url = headerOf(created, 'reconcile-upload') ?? ''
    expect((await send(url)).status).toBe(404)
    const head = await send(url, { method: 'HEAD', headers: TUS })
    expect([head.status, offsetOf(head), headerOf(head, 'upload-length')]).toEqual([200, B, String(3 * B)])
  },
)

rule(72, 'GET of a committed file MUST give its bytes, whole (200) or one range (206, 416 beyond it)', async () => {
  const client = pair.client(B + 100)
  await client.claim(await client.upload(0, B + 100))
  const url = String((await client.commit()).json.url)
  expect(await hashAt(url)).toBe(hashOf(client.file.bytes))
  const part = await send(url, { headers: { Range: `bytes=${B - 10}-${B + 9}` } })
  expect([part.status, headerOf(part, 'content-range')]).toEqual([206, `bytes ${B - 10}-${B + 9}/${B + 100}`])
  expect(hashOf(part.bytes)).toBe(hashOf(client.file.bytes.subarray(B - 10, B + 10)))
  expect((await send(url, { headers: { Range: `bytes=${B + 100}-` } })).status).toBe(416)
})

rule(
  73,
  'DELETE of a file that is not committed MUST end its group as `terminate` does; PATCH of it is refused with 400',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.upload(0, B)
    const url = `${pair.home}/${client.file.group}`
    const headers = { ...TUS, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
    expect((await send(url, { method: 'PATCH', headers, body: 'abc' })).status).toBe(400)
    expect((await send(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    expect((await client.ask('status')).json.state).toBe('terminated')
    const late = await client.patch(session, B, Buffer.alloc(1))
    expect([late.status, headerOf(late, 'reconcile-state')]).toEqual([410, 'terminated'])
  },
)

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

rule(140, 'DELETE of a file MUST leave every other file as it is, equal ones of its scope included', async () => {
  const bytes = Buffer.alloc(B + 5, 3)
  const [one, other] = [await committed(bytes), await committed(bytes)]
  expect((await send(one.url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  expect((await send(one.url)).status).toBe(404)
  expect(await hashAt(other.url)).toBe(other.hash)
})

rule(141, 'A file that is committed MUST take no bytes and no other length', async () => {
  const { url, hash } = await committed(B)
  const patch = (offset: number, body: string, more: Record<string, string> = {}) => {
    const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) }
    return send(url, { method: 'PATCH', headers: { ...TUS, ...type, ...more }, body })
  }
  const longer = { 'Upload-Length': String(B + 4) }
  for (const reply of [await patch(0, 'more'), await patch(B, 'more'), await patch(B, 'more', longer)]) {
    expect(reply.status).toBeGreaterThanOrEqual(400)
  }
  await patch(B, '', longer)
  expect(await hashAt(url)).toBe(hash)
})

async function committed(bytes: number | Buffer<ArrayBuffer>): Promise<{ url: string; hash: string }> {
  const client = pair.client(bytes)
  await client.claim(await client.upload(0, client.file.size))
  const { json } = await client.commit()
  return { url: String(json.url), hash: hashOf(client.file.bytes) }
}
