import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, hashOf } from './wire-client.js'
import { codeOf, hashAt, headerOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

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
  43,
  'A message that is not as described MUST be refused with 400, one of more than 1,048,576 bytes with 413',
  async () => {
    const client = pair.client(B)
    const refusals = ['{', '[]', '{"op":"gossip"}', `{"op":"status","group":"short","home":"${pair.homeId}"}`]
    for (const text of refusals) {
      const reply = await client.postOperation(text)
      expect([reply.status, codeOf(reply.json)]).toEqual([400, 'bad-request'])
    }
    const large = await client.postOperation(' '.repeat(1_048_577))
    expect([large.status, codeOf(large.json)]).toEqual([413, 'message-too-large'])
  },
)

rule(44, 'A list in an operation MUST NOT have more than 4096 entries, else 400', async () => {
  const client = pair.client(B)
  const session = await client.upload(0, B)
  const changes = Array.from({ length: 4097 }, () => ({ session: session.id, end: B }))
  expect((await client.ask('plan', { changes })).status).toBe(400)
  expect((await client.ask('plan', { changes: changes.slice(1) })).status).toBe(200)
})

rule(45, 'An operation on a group that is not known MUST be refused with 404', async () => {
  for (const [op, members] of [
    ['status', {}],
    ['plan', { changes: [] }],
    ['terminate', {}],
  ] as const) {
    const reply = await pair.client(B).ask(op, members)
    expect([reply.status, codeOf(reply.json)]).toEqual([404, 'unknown-group'])
  }
})

rule(
  46,
  '`commit` and `terminate` go to the home, any other to the store it names, else to the one asked; a server MUST relay what is for a peer',
  async () => {
    const client = pair.client(B)
    const viaMirror = client.at(pair.mirror)
    const session = await client.upload(0, B)
    const leaves = client.file.leaves()
    const claims = [{ session: session.id, start: 0, leaves }]
    expect((await viaMirror.ask('claim', { claims, store: pair.homeId })).json.verified).toEqual([[0, B]])
    const commit = await viaMirror.commit()
    expect([commit.status, commit.json.state]).toEqual([201, 'committed'])
    expect(await hashAt((await client.ask('status')).json.url)).toBe(hashOf(client.file.bytes))
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

rule(
  49,
  "`plan` MUST only lower an end, never below what has arrived, and rounds it up to a block's end or the file's",
  async () => {
    const client = pair.client(3 * B + 1)
    const session = await client.open(0, 3 * B + 1, B + 1)
    const planned = async (end: number) =>
      (await client.ask('plan', { changes: [{ session: session.id, end }] })).json.sessions
    const stands = { session: session.id, offset: B + 1, state: 'inProgress' }
    expect(await planned(2 * B + 1)).toEqual([{ ...stands, end: 3 * B }])
    expect(await planned(0)).toEqual([{ ...stands, end: 2 * B }])
    expect(await planned(3 * B)).toEqual([{ ...stands, end: 2 * B }])
  },
)

rule(50, '`plan` with `drop` MUST end the session, and a body on its way is answered 410 at once', async () => {
  const client = pair.client(8 * B)
  const session = await client.open(0, 8 * B)
  const slow = await client.beginPatch(session, B + 10)
  const plan = await client.ask('plan', { changes: [{ session: session.id, drop: true, reason: 'superseded' }] })
  expect(plan.json.sessions).toMatchObject([{ session: session.id, state: 'superseded', offset: B + 10 }])
  // the body has not ended, and never will
  expect(await slow.reply).toMatchObject({ status: 410, headers: { 'reconcile-state': 'superseded' } })
  await slow.closed
})

rule(51, 'A `drop` of a session that was never seen MUST be remembered: its creation is refused with 410', async () => {
  const client = pair.client(2 * B)
  await client.upload(0, B)
  const late = client.session(B, 2 * B)
  await client.ask('plan', { changes: [{ session: late.id, drop: true }] })
  const reply = await client.create(late, Buffer.alloc(9))
  expect([reply.status, headerOf(reply, 'reconcile-state')]).toEqual([410, 'terminated'])
  expect((await client.ask('status')).json.stored).toEqual([[0, B]])
})
