import { readFile } from 'node:fs/promises'
import { startReconcileServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { rule } from './rules.js'
import {
  answerSignatureOf,
  B,
  BYTES,
  newId,
  postPeerMessage,
  type Reply,
  readJson,
  SlowRequest,
  send,
  sha256,
  signatureOf,
  WireClient,
  WireEvents,
  WireFile,
} from './wire-client.js'

/** Two servers that are each other's peers; the first is the home of the tests' files. */
export interface WireServers {
  readonly home: string
  readonly mirror: string
  /** What they sign with. */
  readonly secret: string
  close(): Promise<void>
}

const PLAIN = { 'Tus-Resumable': '1.0.0' }
const document = readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

const header = (reply: { headers: Headers }, name: string): string | null => reply.headers.get(name)
const offsetOf = (reply: Reply): number => Number(header(reply, 'upload-offset'))
const hashOf = (bytes: Uint8Array): string => sha256(bytes).toString('hex')
const codeOf = (json: Readonly<Record<string, unknown>>): unknown => Object(json.error).code

async function hashAt(url: unknown): Promise<string> {
  const reply = await send(String(url))
  expect(reply.status).toBe(200)
  return hashOf(reply.bytes)
}

/** What docs/protocol.md says, as tests of any server. Every test is a rule, by its number and its very words. */
export function describeWire(name: string, startServer: () => Promise<WireServers>): void {
  describe(name, () => {
    let servers: WireServers
    let storeId = ''
    beforeAll(async () => {
      servers = await startServer()
      storeId = header(await send(servers.home, { method: 'OPTIONS' }), 'store-id') ?? ''
    })
    afterAll(() => servers.close())
    const clientOf = (source: number | Buffer<ArrayBuffer>): WireClient =>
      new WireClient(servers.home, storeId, new WireFile(source))

    describe('discovery', () => {
      rule(
        1,
        'OPTIONS on the endpoint MUST be answered 204 with `Tus-Version` and a `Tus-Extension` that lists `reconcile-1`',
        async () => {
          const reply = await send(servers.home, { method: 'OPTIONS' })
          expect([reply.status, header(reply, 'tus-version')]).toEqual([204, '1.0.0'])
          expect(header(reply, 'tus-extension')?.split(',')).toContain('reconcile-1')
        },
      )

      rule(
        4,
        'A client MUST take two addresses that state the same `Store-Id` for two routes to one store, and two names for two stores',
        async () => {
          const again = await send(servers.home, { method: 'OPTIONS' })
          const other = await send(servers.mirror, { method: 'OPTIONS' })
          expect(header(again, 'store-id')).toBe(storeId)
          expect(storeId).toMatch(/^[A-Za-z0-9_-]{22}$/)
          expect(header(other, 'store-id')).toMatch(/^[A-Za-z0-9_-]{22}$/)
          expect(header(other, 'store-id')).not.toBe(storeId)
        },
      )

      rule(5, 'The OPTIONS answer MUST carry `Reconcile-Block-Size: 262144`, the only value of version 1', async () => {
        expect(header(await send(servers.home, { method: 'OPTIONS' }), 'reconcile-block-size')).toBe(String(B))
      })

      rule(
        7,
        'CORS MUST let a browser send `Upload-Partition` and read `Store-Id`, `Reconcile-State`, `Reconcile-Upload`, `Upload-Limit`, `Upload-Expires` and `Retry-After`',
        async () => {
          const preflight = await send(servers.home, { method: 'OPTIONS' })
          expect(header(preflight, 'access-control-allow-origin')).toBe('*')
          expect(names(header(preflight, 'access-control-allow-headers'))).toContain('upload-partition')
          const client = clientOf(B)
          const exposed = names(header(await client.create(client.session(0, B)), 'access-control-expose-headers'))
          const wanted = [
            'Store-Id',
            'Reconcile-State',
            'Reconcile-Upload',
            'Upload-Limit',
            'Upload-Expires',
            'Retry-After',
          ]
          expect(wanted.filter((each) => !exposed.includes(each.toLowerCase()))).toEqual([])
        },
      )

      rule(
        8,
        'Every request but OPTIONS and GET MUST carry `Tus-Resumable: 1.0.0`, operations included; one without is answered 412',
        async () => {
          const init = { headers: { 'Content-Type': 'application/tus-reconcile+json' }, body: '{}' }
          expect((await send(servers.home, { method: 'POST', ...init })).status).toBe(412)
          expect((await send(`${servers.home}/${newId()}`, { method: 'HEAD' })).status).toBe(412)
        },
      )

      rule(
        170,
        'An answer MUST carry `X-Request-ID`: that of the request where it is 1 to 128 of `A-Z a-z 0-9 . _ ~ : + / = -`, else one that the server makes',
        async () => {
          const headers = { ...PLAIN, 'X-Request-ID': 'a/name:of=mine' }
          const named = await send(`${servers.home}/${newId()}`, { method: 'HEAD', headers })
          expect([named.status, header(named, 'x-request-id')]).toEqual([404, 'a/name:of=mine'])
          const bad = await send(servers.home, { method: 'OPTIONS', headers: { 'X-Request-ID': 'not a name' } })
          expect(header(bad, 'x-request-id')).toMatch(/^[A-Za-z0-9._~:+/=-]{1,128}$/)
        },
      )

      rule(
        171,
        'An answer MUST carry `Reconcile-Load`, a decimal from 0 to 1 (RFC 9651): how busy this server is',
        async () => {
          const client = clientOf(B)
          const replies = [
            await send(servers.home, { method: 'OPTIONS' }),
            await client.create(client.session(0, B)),
            await send(`${servers.home}/${newId()}`, { method: 'HEAD', headers: PLAIN }),
            await send(`${servers.home}/${newId()}`),
          ]
          expect(replies.map(({ status }) => status)).toEqual([204, 201, 404, 404])
          for (const reply of replies) expect(header(reply, 'reconcile-load')).toMatch(/^(0\.\d{1,3}|1\.0{1,3})$/)
        },
      )
    })

    describe('Upload-Partition', () => {
      rule(11, '`start` MUST be a multiple of the block size, else 400', async () => {
        const client = clientOf(2 * B)
        for (const start of [1, B - 1, B + 1]) {
          expect((await client.create(client.session(0, B), undefined, { start, end: null })).status).toBe(400)
        }
      })

      rule(
        12,
        '`end` MUST be a multiple of the block size or equal to `size`, and not lie before `start`, else 400',
        async () => {
          const client = clientOf(2 * B + 5)
          const statuses = async (start: number, end: number) =>
            (await client.create(client.session(start, end))).status
          expect(await statuses(0, B + 5)).toBe(400)
          expect(await statuses(B, 0)).toBe(400)
          expect(await statuses(B, 2 * B + 5)).toBe(201)
        },
      )

      rule(13, 'A header that names another session than the URL MUST be refused with 400', async () => {
        const client = clientOf(B)
        const session = client.session(0, B)
        await client.create(session)
        const reply = await client.patch(session, 0, Buffer.alloc(9), { session: newId() })
        expect(reply.status).toBe(400)
        expect(offsetOf(await client.head(session))).toBe(0)
      })

      rule(
        14,
        'The first `size` that a creation or `commit` names binds the group; another one later MUST be refused with 400',
        async () => {
          const client = clientOf(2 * B)
          await client.upload(0, B)
          const other = await client.create(client.session(B, 2 * B), undefined, { size: 3 * B })
          expect([other.status, codeOf(readJson(other.bytes.toString()))]).toEqual([400, 'contradiction'])
          expect((await client.ask('commit', { size: B, root: client.file.root })).status).toBe(400)
        },
      )
    })

    describe('sessions', () => {
      rule(
        18,
        'A creation MUST be answered 201 with `Location` and with `Upload-Offset`, how many bytes of its body were taken',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          const reply = await client.create(session, client.file.bytes.subarray(0, B + 7))
          expect([reply.status, offsetOf(reply)]).toEqual([201, B + 7])
          expect(header(reply, 'location')).toBe(`${servers.home}/${client.file.group}.${session.id}`)
        },
      )

      rule(
        20,
        'An answer about a session that was found, refusals included but for those of the gate (`onIncomingRequest`), MUST carry `Location`, `Upload-Offset` and `Reconcile-State`',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          await client.create(session, client.file.bytes.subarray(0, 5))
          const replies = [
            await client.create(session),
            await client.head(session),
            await client.patch(session, 4, Buffer.alloc(1)),
            await client.patch(session, 5, client.file.bytes.subarray(5, 6)),
          ]
          expect(replies.map(({ status }) => status)).toEqual([200, 200, 409, 204])
          expect(replies.map(offsetOf)).toEqual([5, 5, 5, 6])
          for (const reply of replies) {
            expect([header(reply, 'location'), header(reply, 'reconcile-state')]).toEqual([session.url, 'inProgress'])
          }
        },
      )

      rule(
        22,
        'A repeat of a creation without a body MUST be answered 200 with `Location` and `Upload-Offset`',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          const first = await client.create(session, client.file.bytes.subarray(0, 100))
          const repeat = await client.create(session)
          expect([repeat.status, offsetOf(repeat)]).toEqual([200, 100])
          expect(header(repeat, 'location')).toBe(header(first, 'location'))
        },
      )

      rule(
        23,
        'A repeat of a creation with a body MUST be refused with 409, `Location` and `Upload-Offset`, and nothing of the body is taken',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          const first = await client.create(session, client.file.bytes.subarray(0, 100))
          const repeat = await client.create(session, Buffer.alloc(200))
          expect([repeat.status, offsetOf(repeat)]).toEqual([409, 100])
          expect(header(repeat, 'location')).toBe(header(first, 'location'))
          expect(codeOf(readJson(repeat.bytes.toString()))).toBe('session-exists')
          await client.patch(session, 100, client.file.bytes.subarray(100))
          await client.claim(session)
          expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
        },
      )

      rule(
        25,
        'A request with a lower attempt than the highest seen MUST be refused with 409, and a write that runs goes on',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          await client.create(session)
          session.attempt = 5
          const slow = await client.beginPatch(session, 100)
          const lower = await client.patch({ ...session, attempt: 4 }, 100, Buffer.alloc(1))
          expect([lower.status, codeOf(readJson(lower.bytes.toString()))]).toEqual([409, 'lower-attempt'])
          slow.request.end(client.file.bytes.subarray(100))
          expect(await slow.reply).toMatchObject({ status: 204, headers: { 'upload-offset': String(2 * B) } })
        },
      )

      rule(
        26,
        'A request with the attempt of a write that runs MUST be refused with 423 and `Retry-After`',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          await client.create(session)
          session.attempt = 5
          const slow = await client.beginPatch(session, 100)
          const same = await client.create({ ...session, attempt: 5 })
          expect([same.status, header(same, 'retry-after')]).toEqual([423, '1'])
          slow.request.end(client.file.bytes.subarray(100))
          expect((await slow.reply).status).toBe(204)
        },
      )

      rule(
        27,
        'A request with a higher attempt, or without `Upload-Partition`, MUST end a write that runs (409 `replaced`) before the offset is told',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          await client.create(session)
          const first = await client.beginPatch(session, 100)
          expect(offsetOf(await client.create(session))).toBe(100)
          const replaced = await first.reply
          expect([replaced.status, codeOf(replaced.json)]).toEqual([409, 'replaced'])
          const rest = client.session(B, 2 * B)
          await client.create(rest)
          const second = await client.beginPatch(rest, 200)
          expect(offsetOf(await send(rest.url, { method: 'HEAD', headers: PLAIN }))).toBe(200)
          expect((await second.reply).status).toBe(409)
        },
      )

      rule(
        29,
        'PATCH at another offset MUST be refused with 409 and the right `Upload-Offset`, and nothing is changed',
        async () => {
          const client = clientOf(B)
          const session = client.session(0, B)
          await client.create(session, client.file.bytes.subarray(0, 100))
          for (const offset of [0, 99, 101]) {
            const reply = await client.patch(session, offset, Buffer.alloc(10))
            expect([reply.status, offsetOf(reply)]).toEqual([409, 100])
          }
          await client.patch(session, 100, client.file.bytes.subarray(100))
          expect((await client.claim(session)).json).toMatchObject({ verified: [[0, B]], bad: [] })
        },
      )

      rule(
        31,
        "A body whose announced length goes beyond the file's end MUST be refused with 413, and nothing of it is taken",
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(B, 2 * B)
          await client.create(session, client.file.bytes.subarray(B, 2 * B - 5))
          const reply = await client.patch(session, B - 5, Buffer.alloc(6))
          expect([reply.status, offsetOf(reply)]).toEqual([413, B - 5])
        },
      )

      rule(
        32,
        'Of a body that goes beyond the planned end the bytes up to it MUST be taken, and the answer is 409 with `Reconcile-State: completed`',
        async () => {
          const client = clientOf(4 * B)
          const session = client.session(0, 2 * B)
          const reply = await client.create(session, client.file.bytes.subarray(0, 2 * B + 9))
          expect([reply.status, offsetOf(reply), header(reply, 'reconcile-state')]).toEqual([409, 2 * B, 'completed'])
          expect((await client.ask('status')).json).toMatchObject({ stored: [[0, 2 * B]], verified: [] })
        },
      )

      rule(33, 'Of a body that breaks off, what arrived MUST be kept', async () => {
        const client = clientOf(2 * B)
        const session = client.session(0, 2 * B)
        await client.create(session)
        const slow = await client.beginPatch(session, B + 9)
        slow.request.destroy()
        await slow.closed
        expect(offsetOf(await client.create(session))).toBe(B + 9)
        await client.patch(session, B + 9, client.file.bytes.subarray(B + 9))
        await client.claim(session)
        expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
      })

      rule(
        36,
        'DELETE of a session MUST be answered 204 and end it; its whole blocks stay, and later requests of it are refused with 410',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          await client.create(session, client.file.bytes.subarray(0, B + 1))
          expect((await send(session.url, { method: 'DELETE', headers: PLAIN })).status).toBe(204)
          for (const reply of [await client.create(session), await client.patch(session, B + 1, Buffer.alloc(1))]) {
            expect([reply.status, header(reply, 'reconcile-state')]).toEqual([410, 'terminated'])
          }
          expect((await client.ask('status')).json.stored).toEqual([[0, B]])
        },
      )
    })

    describe('blocks', () => {
      rule(
        38,
        'Bytes that another session sends for a verified block MUST be counted in its `Upload-Offset` and thrown away',
        async () => {
          const client = clientOf(3 * B)
          await client.claim(await client.upload(0, 2 * B))
          const verified = client.session(0, 3 * B)
          const wrong = Buffer.concat([Buffer.alloc(2 * B), client.file.bytes.subarray(2 * B)])
          expect(offsetOf(await client.create(verified, wrong))).toBe(3 * B)
          expect((await client.claim(verified)).json.verified).toEqual([[0, 3 * B]])
          expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
        },
      )

      rule(
        130,
        'Bytes that another session sends for an owned or stored block MUST be counted in its `Upload-Offset` and kept aside while there is room',
        async () => {
          const client = clientOf(3 * B)
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
          const client = clientOf(3 * B)
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
        const client = clientOf(2 * B)
        const owner = client.session(0, 2 * B)
        await client.create(owner, Buffer.alloc(B + 9))
        const other = await client.upload(B, 2 * B)
        expect((await send(owner.url, { method: 'DELETE', headers: PLAIN })).status).toBe(204)
        expect((await client.ask('status')).json.stored).toEqual([[0, 2 * B]])
        expect((await client.claim(other)).json.verified).toEqual([[B, 2 * B]])
      })

      rule(40, 'When a session ends, the blocks that it began and did not finish MUST be free again', async () => {
        const client = clientOf(2 * B)
        const first = client.session(0, 2 * B)
        await client.create(first, Buffer.concat([client.file.bytes.subarray(0, B), Buffer.alloc(100)]))
        await send(first.url, { method: 'DELETE', headers: PLAIN })
        const second = await client.upload(B, 2 * B)
        await client.claim(first, client.file.leaves(0, B))
        expect((await client.claim(second)).json.verified).toEqual([[B, 2 * B]])
        expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
      })
    })

    describe('operations', () => {
      rule(
        43,
        'A message that is not as described MUST be refused with 400, one of more than 1,048,576 bytes with 413',
        async () => {
          const client = clientOf(B)
          const refusals = ['{', '[]', '{"op":"gossip"}', `{"op":"status","group":"short","home":"${storeId}"}`]
          for (const text of refusals) {
            const reply = await client.postOperation(text)
            expect([reply.status, codeOf(reply.json)]).toEqual([400, 'bad-request'])
          }
          const large = await client.postOperation(' '.repeat(1_048_577))
          expect([large.status, codeOf(large.json)]).toEqual([413, 'message-too-large'])
        },
      )

      rule(44, 'A list in an operation MUST NOT have more than 4096 entries, else 400', async () => {
        const client = clientOf(B)
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
          const reply = await clientOf(B).ask(op, members)
          expect([reply.status, codeOf(reply.json)]).toEqual([404, 'unknown-group'])
        }
      })

      rule(
        46,
        '`commit` and `terminate` go to the home, any other to the store it names, else to the one asked; a server MUST relay what is for a peer',
        async () => {
          const client = clientOf(B)
          const viaMirror = client.at(servers.mirror)
          const session = await client.upload(0, B)
          const leaves = client.file.leaves()
          const claims = [{ session: session.id, start: 0, leaves }]
          expect((await viaMirror.ask('claim', { claims, store: storeId })).json.verified).toEqual([[0, B]])
          const commit = await viaMirror.commit()
          expect([commit.status, commit.json.state]).toEqual([201, 'committed'])
          expect(await hashAt((await client.ask('status')).json.url)).toBe(hashOf(client.file.bytes))
        },
      )

      rule(
        49,
        "`plan` MUST only lower an end, never below what has arrived, and rounds it up to a block's end or the file's",
        async () => {
          const client = clientOf(3 * B + 1)
          const session = client.session(0, 3 * B + 1)
          await client.create(session, client.file.bytes.subarray(0, B + 1))
          const planned = async (end: number) =>
            (await client.ask('plan', { changes: [{ session: session.id, end }] })).json.sessions
          const stands = { session: session.id, offset: B + 1, state: 'inProgress' }
          expect(await planned(2 * B + 1)).toEqual([{ ...stands, end: 3 * B }])
          expect(await planned(0)).toEqual([{ ...stands, end: 2 * B }])
          expect(await planned(3 * B)).toEqual([{ ...stands, end: 2 * B }])
        },
      )

      rule(50, '`plan` with `drop` MUST end the session, and a body on its way is answered 410 at once', async () => {
        const client = clientOf(8 * B)
        const session = client.session(0, 8 * B)
        await client.create(session)
        const slow = await client.beginPatch(session, B + 10)
        const plan = await client.ask('plan', { changes: [{ session: session.id, drop: true, reason: 'superseded' }] })
        expect(plan.json.sessions).toMatchObject([{ session: session.id, state: 'superseded', offset: B + 10 }])
        // the body has not ended, and never will
        expect(await slow.reply).toMatchObject({ status: 410, headers: { 'reconcile-state': 'superseded' } })
        await slow.closed
      })

      rule(
        51,
        'A `drop` of a session that was never seen MUST be remembered: its creation is refused with 410',
        async () => {
          const client = clientOf(2 * B)
          await client.upload(0, B)
          const late = client.session(B, 2 * B)
          await client.ask('plan', { changes: [{ session: late.id, drop: true }] })
          const reply = await client.create(late, Buffer.alloc(9))
          expect([reply.status, header(reply, 'reconcile-state')]).toEqual([410, 'terminated'])
          expect((await client.ask('status')).json.stored).toEqual([[0, B]])
        },
      )

      rule(53, 'A stored block that was claimed with another digest MUST be freed and named in `bad`', async () => {
        const client = clientOf(2 * B)
        const corrupt = client.session(0, 2 * B)
        const wrong = Buffer.from(client.file.bytes)
        wrong.writeUInt8(wrong.readUInt8(B + 5) ^ 1, B + 5)
        await client.create(corrupt, wrong)
        expect((await client.claim(corrupt)).json).toMatchObject({ verified: [[0, B]], bad: [[B, 2 * B]] })
        expect((await client.ask('status')).json).toMatchObject({ stored: [[0, B]], bad: [[B, 2 * B]] })
        await client.claim(await client.upload(B, 2 * B))
        expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
      })

      rule(
        133,
        '`have` MUST first copy into the group the blocks of those digests that it holds verified at another offset, or another file of its scope does',
        async () => {
          const client = clientOf(Buffer.concat([Buffer.alloc(2 * B, 9), Buffer.from('end')]))
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
          const client = clientOf(Buffer.alloc(3 * B, 9))
          const session = client.session(0, 3 * B)
          await client.create(session, client.file.bytes.subarray(0, B))
          expect((await client.claim(session)).json.verified).toEqual([[0, 3 * B]])
          expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
        },
      )

      rule(135, "An answer MUST NOT depend on what lies outside the group's scope", async () => {
        const [one, other] = [clientOf(Buffer.alloc(B, 9)), clientOf(Buffer.alloc(B, 9))]
        await one.claim(await one.upload(0, B))
        await one.commit()
        const session = other.session(0, B)
        await other.create(session)
        const blocks = [{ start: 0, leaf: other.file.leaves(0, B)[0] }]
        expect((await other.ask('have', { blocks })).json).toEqual({ attached: [] })
        expect((await other.claim(session)).json.verified).toEqual([])
      })

      rule(
        54,
        'A claim for a block that has not arrived MUST be kept, and decides when the block is whole',
        async () => {
          const client = clientOf(2 * B)
          const session = client.session(0, 2 * B)
          await client.create(session)
          expect((await client.claim(session)).json).toMatchObject({ verified: [], bad: [] })
          const half = Buffer.concat([client.file.bytes.subarray(0, B), Buffer.alloc(B)])
          expect((await client.patch(session, 0, half)).status).toBe(204)
          expect((await client.ask('status')).json).toMatchObject({ verified: [[0, B]], bad: [[B, 2 * B]] })
        },
      )

      rule(
        55,
        'Another digest for a block that is verified MUST be answered 409 with the block in `conflict`, and the block stays',
        async () => {
          const client = clientOf(2 * B)
          const session = await client.upload(0, 2 * B)
          const [first = '', second = ''] = client.file.leaves()
          await client.claim(session)
          const reply = await client.claim(session, [first, first])
          expect([reply.status, reply.json.conflict]).toEqual([409, [[B, 2 * B]]])
          expect((await client.claim(session, [first, second])).json).toMatchObject({ verified: [[0, 2 * B]] })
        },
      )

      rule(
        136,
        "A store that knows the file's SHA-256 when it commits MUST tell it as `Repr-Digest: sha-256=:<base64>:` on the answer to `commit`, HEAD and GET",
        async () => {
          const client = clientOf(2 * B + 5)
          await client.claim(await client.upload(0, 2 * B + 5))
          const commit = await client.commit()
          const url = String(commit.json.url)
          const replies = [commit, await send(url, { method: 'HEAD', headers: PLAIN }), await send(url)]
          const digest = `sha-256=:${sha256(client.file.bytes).toString('base64')}:`
          expect(replies.map((reply) => header(reply, 'repr-digest'))).toEqual([digest, digest, digest])
        },
      )

      rule(
        57,
        '`have` MUST name in `attached` exactly the blocks that the group holds here, verified with that digest at that offset',
        async () => {
          const client = clientOf(3 * B)
          const [a, b, c] = client.file.leaves()
          await client.claim(await client.upload(0, B))
          await client.upload(B, 2 * B)
          const blocks = [a, b, c].map((leaf, index) => ({ start: index * B, leaf }))
          expect((await client.ask('have', { blocks })).json.attached).toEqual([[0, B]])
          expect((await client.ask('have', { blocks: [{ start: B, leaf: a }] })).json.attached).toEqual([])
        },
      )

      rule(
        59,
        'The first `commit` that succeeds MUST be answered 201, each repeat 200 with the same `url`',
        async () => {
          const client = clientOf(2 * B + 3)
          await client.claim(await client.upload(B, 2 * B + 3))
          await client.claim(await client.upload(0, B))
          const first = await client.commit()
          const repeat = await client.commit()
          expect([first.status, repeat.status]).toEqual([201, 200])
          expect(repeat.json).toEqual(first.json)
          expect(await hashAt(first.json.url)).toBe(hashOf(client.file.bytes))
        },
      )

      rule(
        60,
        '`commit` of a file of which something is verified nowhere MUST be answered 409 with `missing` and `bad`',
        async () => {
          const client = clientOf(3 * B)
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
          const client = clientOf(B)
          await client.claim(await client.upload(0, B))
          const wrong = await client.commit(new WireFile(B).root)
          expect([wrong.status, codeOf(wrong.json)]).toEqual([460, 'root-mismatch'])
          expect((await client.ask('status')).json.state).toBe('open')
          expect((await client.commit()).status).toBe(201)
        },
      )

      rule(
        64,
        '`terminate` MUST end the group in every store, delete its bytes and be repeatable; of a committed group it is refused with 410',
        async () => {
          const client = clientOf(B)
          await client.upload(0, B)
          for (let i = 0; i < 2; i++) {
            expect(await client.ask('terminate')).toMatchObject({ status: 200, json: { state: 'terminated' } })
          }
          expect((await send(`${servers.home}/${client.file.group}`)).status).toBe(404)
          const whole = clientOf(B)
          await whole.claim(await whole.upload(0, B))
          const { json } = await whole.commit()
          expect((await whole.ask('terminate')).status).toBe(410)
          expect(await hashAt(json.url)).toBe(hashOf(whole.file.bytes))
        },
      )
    })

    describe('digests', () => {
      rule(
        66,
        "The root MUST be: leaf H(00 | block digest), node H(01 | left | right), an odd node moves up unchanged, root H(02 | size as 8 bytes | block size as 4 bytes | top), numbers big-endian; an empty file's top is 32 zero bytes",
        async () => {
          const text = await document
          const printed = [...text.matchAll(/^block \d +([0-9a-f]{64})$/gm)].map(([, hex]) => hex)
          const bytes = Buffer.concat([Buffer.alloc(B, 'a'), Buffer.alloc(B, 'b'), Buffer.from('c')])
          const client = clientOf(bytes)
          expect(client.file.digests().map((digest) => digest.toString('hex'))).toEqual(printed)
          const root = /^root +([0-9a-f]{64}) /m.exec(text)?.[1] ?? ''
          await client.claim(await client.upload(0, client.file.size))
          const commit = await client.commit(Buffer.from(root, 'hex').toString('base64url'))
          expect(commit.status).toBe(201)
          expect(await hashAt(commit.json.url)).toBe(hashOf(bytes))
          const empty = clientOf(0)
          expect(text).toContain(`The root of an empty file is \`${empty.file.root}\``)
          await empty.create(empty.session(0, 0))
          expect((await empty.commit()).status).toBe(201)
        },
      )
    })

    describe('states', () => {
      rule(
        67,
        'A session whose range is verified and which has sent all of it MUST become `completed`; one that has not MUST become `superseded` and is refused with 410',
        async () => {
          const client = clientOf(2 * B)
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
          expect([reply.status, header(reply, 'reconcile-state')]).toEqual([410, 'superseded'])
        },
      )

      rule(
        70,
        'A group that has ended MUST leave a tombstone: sessions, old and new, are refused with 410 and `Reconcile-State`, never created',
        async () => {
          for (const state of ['terminated', 'committed']) {
            const client = clientOf(2 * B)
            const old = await client.upload(0, 2 * B)
            await client.claim(old)
            await (state === 'committed' ? client.commit() : client.ask('terminate'))
            const replies = [
              await client.create(client.session(B, 2 * B), Buffer.alloc(9)),
              await client.create(old),
              await client.head(old),
            ]
            for (const reply of replies) {
              expect([reply.status, header(reply, 'reconcile-state')]).toEqual([410, state])
            }
            expect((await client.ask('status')).json.sessions).toHaveLength(1)
          }
        },
      )
    })

    describe("the file's URL", () => {
      rule(
        71,
        "The URL of a file that is not committed MUST be answered 404 to GET, and 200 to HEAD with the bytes verified from the file's beginning as `Upload-Offset`",
        async () => {
          const client = clientOf(3 * B)
          const session = client.session(0, B)
          const created = await client.create(session, client.file.bytes.subarray(0, B))
          await client.claim(session)
          await client.claim(await client.upload(2 * B, 3 * B))
          const url = header(created, 'reconcile-upload') ?? ''
          expect((await send(url)).status).toBe(404)
          const head = await send(url, { method: 'HEAD', headers: PLAIN })
          expect([head.status, offsetOf(head), header(head, 'upload-length')]).toEqual([200, B, String(3 * B)])
        },
      )

      rule(
        72,
        'GET of a committed file MUST give its bytes, whole (200) or one range (206, 416 beyond it)',
        async () => {
          const client = clientOf(B + 100)
          await client.claim(await client.upload(0, B + 100))
          const url = String((await client.commit()).json.url)
          expect(await hashAt(url)).toBe(hashOf(client.file.bytes))
          const part = await send(url, { headers: { Range: `bytes=${B - 10}-${B + 9}` } })
          expect([part.status, header(part, 'content-range')]).toEqual([206, `bytes ${B - 10}-${B + 9}/${B + 100}`])
          expect(hashOf(part.bytes)).toBe(hashOf(client.file.bytes.subarray(B - 10, B + 10)))
          expect((await send(url, { headers: { Range: `bytes=${B + 100}-` } })).status).toBe(416)
        },
      )
    })

    describe('early answers and events', () => {
      rule(
        74,
        'A refusal while the body is still coming MUST be sent at once with `Connection: close`, and is never 2xx',
        async () => {
          const client = clientOf(8 * B)
          const session = client.session(0, 8 * B)
          await client.create(session)
          const slow = new SlowRequest('PATCH', session.url, {
            ...client.headers(session),
            'Upload-Offset': 1,
            'Content-Type': BYTES,
            'Content-Length': 8 * B - 1,
          })
          slow.request.write(Buffer.alloc(1000))
          const reply = await slow.reply
          expect(reply).toMatchObject({ status: 409, headers: { connection: 'close', 'upload-offset': '0' } })
          await slow.closed
        },
      )

      rule(
        77,
        'After `lastEventId` the events that followed it MUST be sent again, or `reset` where they are not known any more',
        async () => {
          const client = clientOf(2 * B)
          const { client: id } = client.file
          const stream = await WireEvents.open(servers.home, id)
          expect(stream.first).toBe(': hb')
          const session = await client.upload(0, 2 * B)
          await stream.until(({ data }) => data.type === 'offset')
          await client.claim(session)
          await client.commit()
          await stream.until(({ data }) => data.type === 'committed')
          stream.close()
          expect(stream.events.map(({ data }) => data.type)).toEqual(expect.arrayContaining(['offset', 'verified']))
          // P178: a load is not sent again
          const kept = (events: WireEvents['events']) => events.filter(({ data }) => data.type !== 'load')
          const [first, ...followed] = kept(stream.events)
          const replay = await WireEvents.open(servers.home, id, first?.id)
          await replay.until(({ data }) => data.type === 'committed')
          replay.close()
          expect(kept(replay.events)).toEqual(followed)
          const foreign = await WireEvents.open(servers.home, id, 'anotherepoch-1')
          await foreign.until(({ data }) => data.type === 'reset')
          foreign.close()
        },
      )
    })

    describe('peers', () => {
      const hello = (): string => JSON.stringify({ op: 'hello', from: newId() })

      rule(
        79,
        'A peer message MUST be signed; an unsigned one, or one signed wrongly, is refused with 401 before it is read as a message',
        async () => {
          const { home, secret } = servers
          const body = hello()
          expect((await postPeerMessage(home, body)).status).toBe(401)
          const wrong = [
            await postPeerMessage(home, body, signatureOf({ secret: 'another-secret-of-nobody', body })),
            await postPeerMessage(home, body, signatureOf({ secret, body: hello() })),
            await postPeerMessage(home, body, signatureOf({ secret, body, path: '/other' })),
            await postPeerMessage(home, '{', signatureOf({ secret, body })),
          ]
          expect(wrong.map(({ status, json }) => [status, codeOf(json)])).toEqual(wrong.map(() => [401, 'not-signed']))
          const right = await postPeerMessage(home, body, signatureOf({ secret, body }))
          expect([right.status, right.json]).toEqual([200, { storeId }])
        },
      )

      rule(
        80,
        '`Reconcile-Signature` MUST be `t=<ms>, n=<nonce>, s=<mac>`, where mac is base64url of HMAC-SHA256 over method, path, t, n and base64url of SHA-256 of the body, joined by line feeds',
        async () => {
          const text = await document
          const body = /^body +(\{.+\})$/m.exec(text)?.[1] ?? ''
          const printed = /^header +(t=(\d+), n=([\w-]+), s=.+)$/m.exec(text)
          const stamp = { secret: 'a-secret-of-this-example', body, nonce: printed?.[3] ?? '' }
          expect(signatureOf({ ...stamp, nowMs: Number(printed?.[2]) })).toBe(printed?.[1])
        },
      )

      rule(
        201,
        'An answer to a message whose signature holds MUST be signed too, but for the bytes of `read`: `Reconcile-Signature: s=<mac>` over `ANSWER`, n of the message, the status, `Retry-After` or nothing, and base64url of SHA-256 of the body, with the secret that signed the message',
        async () => {
          const printed = /^answer +(.+)\n.+\nheader +(s=.+)$/m.exec(await document)
          const example = { secret: 'a-secret-of-this-example', nonce: 'A'.repeat(22), status: 200 }
          expect(answerSignatureOf({ ...example, text: printed?.[1] ?? '' })).toBe(printed?.[2])
          const { home, secret } = servers
          for (const [body, status] of [
            [hello(), 200],
            [JSON.stringify({ op: 'report', from: newId(), group: newId() }), 404],
          ] as const) {
            const nonce = newId()
            const reply = await postPeerMessage(home, body, signatureOf({ secret, body, nonce }))
            expect(reply.status).toBe(status)
            const { text } = reply
            expect(header(reply, 'reconcile-signature')).toBe(answerSignatureOf({ secret, nonce, status, text }))
          }
          expect(header(await postPeerMessage(home, hello()), 'reconcile-signature')).toBe(null)
        },
      )

      rule(
        81,
        "A signature whose time is more than 60 s from the receiver's clock, or whose nonce was seen before, MUST be refused with 401",
        async () => {
          const { home, secret } = servers
          const body = hello()
          const signature = signatureOf({ secret, body })
          expect((await postPeerMessage(home, body, signature)).status).toBe(200)
          expect((await postPeerMessage(home, body, signature)).status).toBe(401)
          for (const apartMs of [-61_000, 70_000]) {
            const signed = signatureOf({ secret, body, nowMs: Date.now() + apartMs })
            expect((await postPeerMessage(home, body, signed)).status).toBe(401)
          }
        },
      )

      rule(
        84,
        'The home MUST fetch what its peers verified while the upload still runs, and `commit` counts those blocks as its own',
        async () => {
          const client = clientOf(3 * B)
          const atMirror = client.at(servers.mirror)
          const stream = await WireEvents.open(servers.home, client.file.client)
          await client.claim(await client.upload(0, B))
          await atMirror.claim(await atMirror.upload(B, 3 * B))
          const pulled = new Set<string>()
          while (pulled.size < 1 || !(await storedAtHome(client, 3 * B))) {
            const event = await stream.until(({ id, data }) => data.type === 'pulled' && !pulled.has(id))
            pulled.add(event.id)
          }
          stream.close()
          const commit = await client.commit()
          expect(commit).toMatchObject({ status: 201, json: { pulledAtCommit: 0, pulledEarly: 2 * B } })
          expect(await hashAt(commit.json.url)).toBe(hashOf(client.file.bytes))
        },
      )

      rule(
        86,
        'A store that is no peer of the one asked MUST be refused with 404, one that cannot be reached now with 503 and `Retry-After`',
        async () => {
          const client = clientOf(B)
          await client.upload(0, B)
          const reply = await client.ask('status', { store: newId() })
          expect([reply.status, codeOf(reply.json)]).toEqual([404, 'unknown-store'])
        },
      )
    })
  })
}

function names(list: string | null): string[] {
  return (list ?? '').split(',').map((each) => each.trim().toLowerCase())
}

async function storedAtHome(client: WireClient, size: number): Promise<boolean> {
  const { json } = await client.ask('status')
  return JSON.stringify(json.stored) === JSON.stringify([[0, size]])
}

describeWire('tus-reconcile-server', async () => {
  const { servers, close } = await startReconcileServers({ count: 2 })
  const [home, mirror] = servers
  if (!home || !mirror) throw new Error('two servers were asked for')
  // test/support signs with this secret
  return { home: home.direct, mirror: mirror.direct, secret: 'only-for-tests-0123456789', close }
})
