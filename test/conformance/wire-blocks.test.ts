import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, hashOf, send, TUS } from './wire-client.js'
import { hashAt, offsetOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(
  37,
  "A block MUST have one writer: the first session whose bytes reach the block's first byte while it is free",
  async () => {
    const client = pair.client(2 * B)
    const first = await client.open(0, 2 * B, 10)
    const second = client.session(0, 2 * B)
    // other bytes for the block that is taken, the file's for the one that is free
    await client.create(second, Buffer.concat([Buffer.alloc(B), client.file.bytes.subarray(B)]))
    expect((await client.patch(first, 10, client.file.bytes.subarray(10))).status).toBe(204)
    expect((await client.claim(first)).json).toMatchObject({ verified: [[0, 2 * B]], bad: [] })
    const { json } = await client.commit()
    expect(await hashAt(json.url)).toBe(hashOf(client.file.bytes))
  },
)

rule(
  38,
  'Bytes that another session sends for a verified block MUST be counted in its `Upload-Offset` and thrown away',
  async () => {
    const client = pair.client(3 * B)
    await client.claim(await client.upload(0, 2 * B))
    const verified = client.session(0, 3 * B)
    const wrong = Buffer.concat([Buffer.alloc(2 * B), client.file.bytes.subarray(2 * B)])
    expect(offsetOf(await client.create(verified, wrong))).toBe(3 * B)
    expect((await client.claim(verified)).json.verified).toEqual([[0, 3 * B]])
    expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
  },
)

rule(39, 'A verified block MUST never be written again', async () => {
  const client = pair.client(3 * B)
  await client.claim(await client.upload(0, B))
  const late = client.session(0, 3 * B, 'late')
  await client.create(late, Buffer.concat([Buffer.alloc(B), client.file.bytes.subarray(B)]))
  await client.claim(late)
  const { json } = await client.commit()
  expect(await hashAt(json.url)).toBe(hashOf(client.file.bytes))
})

rule(40, 'When a session ends, the blocks that it began and did not finish MUST be free again', async () => {
  const client = pair.client(2 * B)
  const first = client.session(0, 2 * B)
  await client.create(first, Buffer.concat([client.file.bytes.subarray(0, B), Buffer.alloc(100)]))
  await send(first.url, { method: 'DELETE', headers: TUS })
  const second = await client.upload(B, 2 * B)
  await client.claim(first, client.file.leaves(0, B))
  expect((await client.claim(second)).json.verified).toEqual([[B, 2 * B]])
  expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
})

rule(
  130,
  'Bytes that another session sends for an owned or stored block MUST be counted in its `Upload-Offset` and kept aside while there is room',
  async () => {
    const client = pair.client(3 * B)
    const first = client.session(0, 2 * B)
    await client.create(first, Buffer.alloc(B + 100))
    expect((await client.ask('status')).json.stored).toEqual([[0, B]])
    const second = client.session(0, 2 * B)
    expect(offsetOf(await client.create(second, client.file.bytes.subarray(0, 2 * B)))).toBe(2 * B)
    expect((await client.ask('status')).json.stored).toEqual([[0, 2 * B]])
  },
)

rule(
  131,
  "A copy kept aside whose digest is the claimed one MUST become the block, verified, and what the block's writer has sent or sends of it is thrown away",
  async () => {
    const client = pair.client(3 * B)
    const corrupt = client.session(0, 3 * B)
    await client.create(corrupt, Buffer.alloc(B + 100))
    const right = await client.upload(0, 2 * B)
    expect((await client.claim(right)).json).toMatchObject({ verified: [[0, 2 * B]], bad: [] })
    const rest = Buffer.concat([Buffer.alloc(B - 100), client.file.bytes.subarray(2 * B)])
    expect(offsetOf(await client.patch(corrupt, B + 100, rest))).toBe(3 * B)
    expect((await client.claim(corrupt)).json).toMatchObject({ verified: [[0, 3 * B]], bad: [] })
    expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
  },
)

rule(132, 'When a block becomes free, a whole copy of it that is kept aside MUST take its place', async () => {
  const client = pair.client(2 * B)
  const owner = client.session(0, 2 * B)
  await client.create(owner, Buffer.alloc(B + 9))
  const other = await client.upload(B, 2 * B)
  expect((await send(owner.url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  expect((await client.ask('status')).json.stored).toEqual([[0, 2 * B]])
  expect((await client.claim(other)).json.verified).toEqual([[B, 2 * B]])
})
