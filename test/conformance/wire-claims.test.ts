import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, hashOf, send, sha256, TUS } from './wire-client.js'
import { hashAt, headerOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(52, 'A block whose claimed digest is the digest of the stored bytes MUST become verified', async () => {
  const client = pair.client(2 * B + 1)
  const session = await client.upload(0, 2 * B + 1)
  expect((await client.claim(session)).json).toMatchObject({ verified: [[0, 2 * B + 1]], bad: [] })
})

rule(53, 'A stored block that was claimed with another digest MUST be freed and named in `bad`', async () => {
  const client = pair.client(2 * B)
  const corrupt = client.session(0, 2 * B)
  const wrong = Buffer.from(client.file.bytes)
  wrong.writeUInt8(wrong.readUInt8(B + 5) ^ 1, B + 5)
  await client.create(corrupt, wrong)
  expect((await client.claim(corrupt)).json).toMatchObject({ verified: [[0, B]], bad: [[B, 2 * B]] })
  expect((await client.ask('status')).json).toMatchObject({ stored: [[0, B]], bad: [[B, 2 * B]] })
  await client.claim(await client.upload(B, 2 * B))
  expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
})

rule(54, 'A claim for a block that has not arrived MUST be kept, and decides when the block is whole', async () => {
  const client = pair.client(2 * B)
  const session = await client.open(0, 2 * B)
  expect((await client.claim(session)).json).toMatchObject({ verified: [], bad: [] })
  const half = Buffer.concat([client.file.bytes.subarray(0, B), Buffer.alloc(B)])
  expect((await client.patch(session, 0, half)).status).toBe(204)
  expect((await client.ask('status')).json).toMatchObject({ verified: [[0, B]], bad: [[B, 2 * B]] })
})

rule(
  55,
  'Another digest for a block that is verified MUST be answered 409 with the block in `conflict`, and the block stays',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.upload(0, 2 * B)
    const [first = '', second = ''] = client.file.leaves()
    await client.claim(session)
    const reply = await client.claim(session, [first, first])
    expect([reply.status, reply.json.conflict]).toEqual([409, [[B, 2 * B]]])
    expect((await client.claim(session, [first, second])).json).toMatchObject({ verified: [[0, 2 * B]] })
  },
)

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
  57,
  '`have` MUST name in `attached` exactly the blocks that the group holds here, verified with that digest at that offset',
  async () => {
    const client = pair.client(3 * B)
    const [a, b, c] = client.file.leaves()
    await client.claim(await client.upload(0, B))
    await client.upload(B, 2 * B)
    const blocks = [a, b, c].map((leaf, index) => ({ start: index * B, leaf }))
    expect((await client.ask('have', { blocks })).json.attached).toEqual([[0, B]])
    expect((await client.ask('have', { blocks: [{ start: B, leaf: a }] })).json.attached).toEqual([])
  },
)

rule(
  133,
  '`have` MUST first copy into the group the blocks of those digests that it holds verified at another offset, or another file of its scope does',
  async () => {
    const client = pair.client(Buffer.concat([Buffer.alloc(2 * B, 9), Buffer.from('end')]))
    await client.claim(await client.upload(0, B))
    const blocks = client.file.leaves(0, 2 * B).map((leaf, i) => ({ start: i * B, leaf }))
    expect((await client.ask('have', { blocks })).json).toEqual({ attached: [[0, 2 * B]] })
    await client.claim(await client.upload(2 * B, 2 * B + 3))
    expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
  },
)

rule(
  134,
  '`claim` MUST do the same for blocks that are not whole: the answer names them in `verified`, and nobody has to send them',
  async () => {
    const client = pair.client(Buffer.alloc(3 * B, 9))
    const session = await client.open(0, 3 * B, B)
    expect((await client.claim(session)).json.verified).toEqual([[0, 3 * B]])
    expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
  },
)

rule(
  226,
  '`claim` MUST name in `attached` those of `verified` that were copied so, at its repeats and after a restart too, and none that a session brought',
  async () => {
    const bytes = Buffer.concat([Buffer.alloc(2 * B, 9), randomBytes(B)])
    const client = pair.client(bytes)
    const first = await client.upload(0, B)
    expect((await client.claim(first)).json).toMatchObject({ verified: [[0, B]], attached: [] })
    const rest = await client.open(B, 3 * B)
    const answer = { verified: [[B, 2 * B]], attached: [[B, 2 * B]] }
    expect((await client.claim(rest)).json).toMatchObject(answer)
    expect((await client.claim(rest)).json).toMatchObject(answer)
    await pair.restart()
    expect((await client.claim(rest)).json).toMatchObject(answer)
    await client.upload(2 * B, 3 * B)
    expect((await client.claim(rest)).json).toMatchObject({ verified: [[B, 3 * B]], attached: [[B, 2 * B]] })
  },
)

rule(135, "An answer MUST NOT depend on what lies outside the group's scope", async () => {
  const [one, other] = [pair.client(Buffer.alloc(B, 9)), pair.client(Buffer.alloc(B, 9))]
  await one.claim(await one.upload(0, B))
  await one.commit()
  const session = await other.open(0, B)
  const blocks = [{ start: 0, leaf: other.file.leaves(0, B)[0] }]
  expect((await other.ask('have', { blocks })).json).toEqual({ attached: [] })
  expect((await other.claim(session)).json.verified).toEqual([])
})

rule(
  136,
  "A store that knows the file's SHA-256 when it commits MUST tell it as `Repr-Digest: sha-256=:<base64>:` on the answer to `commit`, HEAD and GET",
  async () => {
    const client = pair.client(2 * B + 5)
    await client.claim(await client.upload(0, 2 * B + 5))
    const commit = await client.commit()
    const url = String(commit.json.url)
    const replies = [commit, await send(url, { method: 'HEAD', headers: TUS }), await send(url)]
    const digest = `sha-256=:${sha256(client.file.bytes).toString('base64')}:`
    expect(replies.map((reply) => headerOf(reply, 'repr-digest'))).toEqual([digest, digest, digest])
  },
)
