import { expect } from 'vitest'
import { protocolText, rule } from './rules.js'
import { B, hashOf, send, sha256, WireFile } from './wire-client.js'
import { codeOf, hashAt, useWirePair } from './wire-pair.js'

const pair = useWirePair()

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

rule(59, 'The first `commit` that succeeds MUST be answered 201, each repeat 200 with the same `url`', async () => {
  const client = pair.client(2 * B + 3)
  await client.claim(await client.upload(B, 2 * B + 3))
  await client.claim(await client.upload(0, B))
  const first = await client.commit()
  const repeat = await client.commit()
  expect([first.status, repeat.status]).toEqual([201, 200])
  expect(repeat.json).toEqual(first.json)
  expect(await hashAt(first.json.url)).toBe(hashOf(client.file.bytes))
})

rule(
  60,
  '`commit` of a file of which something is verified nowhere MUST be answered 409 with `missing` and `bad`',
  async () => {
    const client = pair.client(3 * B)
    await client.claim(await client.upload(0, B))
    await client.upload(B, 2 * B)
    const reply = await client.commit()
    expect([reply.status, reply.json]).toEqual([409, { state: 'incomplete', missing: [[B, 3 * B]], bad: [] }])
  },
)

rule(
  62,
  '`commit` with another root than the verified blocks have MUST be refused with 460, and the group stays open',
  async () => {
    const client = pair.client(B)
    await client.claim(await client.upload(0, B))
    const wrong = await client.commit(new WireFile(B).root)
    expect([wrong.status, codeOf(wrong.json)]).toEqual([460, 'root-mismatch'])
    expect((await client.ask('status')).json.state).toBe('open')
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
  64,
  '`terminate` MUST end the group in every store, delete its bytes and be repeatable; of a committed group it is refused with 410',
  async () => {
    const client = pair.client(B)
    await client.upload(0, B)
    for (let i = 0; i < 2; i++) {
      expect(await client.ask('terminate')).toMatchObject({ status: 200, json: { state: 'terminated' } })
    }
    expect((await send(`${pair.home}/${client.file.group}`)).status).toBe(404)
    const whole = pair.client(B)
    await whole.claim(await whole.upload(0, B))
    const { json } = await whole.commit()
    expect((await whole.ask('terminate')).status).toBe(410)
    expect(await hashAt(json.url)).toBe(hashOf(whole.file.bytes))
  },
)

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
  66,
  "The root MUST be: leaf H(00 | block digest), node H(01 | left | right), an odd node moves up unchanged, root H(02 | size as 8 bytes | block size as 4 bytes | top), numbers big-endian; an empty file's top is 32 zero bytes",
  async () => {
    const text = await protocolText
    const printed = [...text.matchAll(/^block \d +([0-9a-f]{64})$/gm)].map(([, hex]) => hex)
    const bytes = Buffer.concat([Buffer.alloc(B, 'a'), Buffer.alloc(B, 'b'), Buffer.from('c')])
    const client = pair.client(bytes)
    expect(client.file.digests().map((digest) => digest.toString('hex'))).toEqual(printed)
    const root = /^root +([0-9a-f]{64}) /m.exec(text)?.[1] ?? ''
    await client.claim(await client.upload(0, client.file.size))
    const commit = await client.commit(Buffer.from(root, 'hex').toString('base64url'))
    expect(commit.status).toBe(201)
    expect(await hashAt(commit.json.url)).toBe(hashOf(bytes))
    const empty = pair.client(0)
    expect(text).toContain(`The root of an empty file is \`${empty.file.root}\``)
    await empty.create(empty.session(0, 0))
    expect((await empty.commit()).status).toBe(201)
  },
)
