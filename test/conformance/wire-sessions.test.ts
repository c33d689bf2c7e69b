import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, BYTES, hashOf, readJson, SlowRequest, send, TUS } from './wire-client.js'
import { codeOf, hashAt, headerOf, offsetOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(
  18,
  'A creation MUST be answered 201 with `Location` and with `Upload-Offset`, how many bytes of its body were taken',
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    const reply = await client.create(session, client.file.bytes.subarray(0, B + 7))
    expect([reply.status, offsetOf(reply)]).toEqual([201, B + 7])
    expect(headerOf(reply, 'location')).toBe(`${pair.home}/${client.file.group}.${session.id}`)
  },
)

rule(
  224,
  'A request without `Content-Type` whose body has no announced length and ends before its first byte MUST be taken for one without a body',
  async () => {
    const client = pair.client(B)
    const session = client.session(0, B)
    const statuses: number[] = []
    for (let i = 0; i < 2; i++) {
      const headers = { ...client.headers(session), 'Upload-Defer-Length': '1', 'Transfer-Encoding': 'chunked' }
      const creation = new SlowRequest('POST', pair.home, headers)
      creation.request.end()
      statuses.push((await creation.reply).status)
    }
    expect(statuses).toEqual([201, 200])
  },
)

rule(19, 'The URL of a session MUST be `<endpoint>/<group>.<session>`', async () => {
  const client = pair.client(B)
  const session = client.session(0, B)
  const reply = await client.create(session)
  expect(headerOf(reply, 'location')).toBe(`${pair.home}/${client.file.group}.${session.id}`)
})

rule(
  20,
  'An answer about a session that was found, refusals included but for those of the gate (`onIncomingRequest`), MUST carry `Location`, `Upload-Offset` and `Reconcile-State`',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.open(0, 2 * B, 5)
    const replies = [
      await client.create(session),
      await client.head(session),
      await client.patch(session, 4, Buffer.alloc(1)),
      await client.patch(session, 5, client.file.bytes.subarray(5, 6)),
    ]
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 409, 204])
    expect(replies.map(offsetOf)).toEqual([5, 5, 5, 6])
    for (const reply of replies) {
      expect([headerOf(reply, 'location'), headerOf(reply, 'reconcile-state')]).toEqual([session.url, 'inProgress'])
    }
    const ended = await send(session.url, { method: 'DELETE', headers: TUS })
    expect([headerOf(ended, 'location'), offsetOf(ended)]).toEqual([session.url, 6])
    expect(headerOf(ended, 'reconcile-state')).toBe('terminated')
  },
)

rule(22, 'A repeat of a creation without a body MUST be answered 200 with `Location` and `Upload-Offset`', async () => {
  const client = pair.client(2 * B)
  const session = client.session(0, 2 * B)
  const first = await client.create(session, client.file.bytes.subarray(0, 100))
  const repeat = await client.create(session)
  expect([repeat.status, offsetOf(repeat)]).toEqual([200, 100])
  expect(headerOf(repeat, 'location')).toBe(headerOf(first, 'location'))
})

rule(
  23,
  'A repeat of a creation with a body MUST be refused with 409, `Location` and `Upload-Offset`, and nothing of the body is taken',
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    const first = await client.create(session, client.file.bytes.subarray(0, 100))
    const repeat = await client.create(session, Buffer.alloc(200))
    expect([repeat.status, offsetOf(repeat)]).toEqual([409, 100])
    expect(headerOf(repeat, 'location')).toBe(headerOf(first, 'location'))
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
    const client = pair.client(2 * B)
    const session = await client.open(0, 2 * B)
    session.attempt = 5
    const slow = await client.beginPatch(session, 100)
    const lower = await client.patch({ ...session, attempt: 4 }, 100, Buffer.alloc(1))
    expect([lower.status, codeOf(readJson(lower.bytes.toString()))]).toEqual([409, 'lower-attempt'])
    slow.request.end(client.file.bytes.subarray(100))
    expect(await slow.reply).toMatchObject({ status: 204, headers: { 'upload-offset': String(2 * B) } })
  },
)

rule(26, 'A request with the attempt of a write that runs MUST be refused with 423 and `Retry-After`', async () => {
  const client = pair.client(2 * B)
  const session = await client.open(0, 2 * B)
  session.attempt = 5
  const slow = await client.beginPatch(session, 100)
  const same = await client.create({ ...session, attempt: 5 })
  expect([same.status, headerOf(same, 'retry-after')]).toEqual([423, '1'])
  slow.request.end(client.file.bytes.subarray(100))
  expect((await slow.reply).status).toBe(204)
})

rule(
  27,
  'A request with a higher attempt, or without `Upload-Partition`, MUST end a write that runs (409 `replaced`) before the offset is told',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.open(0, 2 * B)
    const first = await client.beginPatch(session, 100)
    expect(offsetOf(await client.create(session))).toBe(100)
    const replaced = await first.reply
    expect([replaced.status, codeOf(replaced.json)]).toEqual([409, 'replaced'])
    const rest = client.session(B, 2 * B)
    await client.create(rest)
    const second = await client.beginPatch(rest, 200)
    expect(offsetOf(await send(rest.url, { method: 'HEAD', headers: TUS }))).toBe(200)
    expect((await second.reply).status).toBe(409)
  },
)

rule(28, "PATCH at the session's offset MUST be answered 204 with the new `Upload-Offset`", async () => {
  const client = pair.client(2 * B)
  const session = await client.open(0, 2 * B)
  let at = 0
  for (const length of [1, 1000, B, B - 1001]) {
    const reply = await client.patch(session, at, client.file.bytes.subarray(at, at + length))
    at += length
    expect([reply.status, offsetOf(reply)]).toEqual([204, at])
  }
})

rule(
  29,
  'PATCH at another offset MUST be refused with 409 and the right `Upload-Offset`, and nothing is changed',
  async () => {
    const client = pair.client(B)
    const session = await client.open(0, B, 100)
    for (const offset of [0, 99, 101]) {
      const reply = await client.patch(session, offset, Buffer.alloc(10))
      expect([reply.status, offsetOf(reply)]).toEqual([409, 100])
    }
    await client.patch(session, 100, client.file.bytes.subarray(100))
    expect((await client.claim(session)).json).toMatchObject({ verified: [[0, B]], bad: [] })
  },
)

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
  31,
  "A body whose announced length goes beyond the file's end MUST be refused with 413, and nothing of it is taken",
  async () => {
    const client = pair.client(2 * B)
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
    const client = pair.client(4 * B)
    const session = client.session(0, 2 * B)
    const reply = await client.create(session, client.file.bytes.subarray(0, 2 * B + 9))
    expect([reply.status, offsetOf(reply), headerOf(reply, 'reconcile-state')]).toEqual([409, 2 * B, 'completed'])
    expect((await client.ask('status')).json).toMatchObject({ stored: [[0, 2 * B]], verified: [] })
  },
)

rule(33, 'Of a body that breaks off, what arrived MUST be kept', async () => {
  const client = pair.client(2 * B)
  const session = await client.open(0, 2 * B)
  const slow = await client.beginPatch(session, B + 9)
  slow.request.destroy()
  await slow.closed
  expect(offsetOf(await client.create(session))).toBe(B + 9)
  await client.patch(session, B + 9, client.file.bytes.subarray(B + 9))
  await client.claim(session)
  expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
})

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
  36,
  'DELETE of a session MUST be answered 204 and end it; its whole blocks stay, and later requests of it are refused with 410',
  async () => {
    const client = pair.client(2 * B)
    const session = await client.open(0, 2 * B, B + 1)
    expect((await send(session.url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    for (const reply of [await client.create(session), await client.patch(session, B + 1, Buffer.alloc(1))]) {
      expect([reply.status, headerOf(reply, 'reconcile-state')]).toEqual([410, 'terminated'])
    }
    expect((await client.ask('status')).json.stored).toEqual([[0, B]])
  },
)
