import { expect } from 'vitest'
import { protocolText, rule } from './rules.js'
import {
  answerSignatureOf,
  B,
  hashOf,
  newId,
  postPeerMessage,
  readJson,
  receiverAt,
  sha256,
  signatureOf,
  type WireClient,
  WireEvents,
} from './wire-client.js'
import { codeOf, hashAt, headerOf, SECRET, useWirePair } from './wire-pair.js'

const pair = useWirePair()

const hello = (): string => JSON.stringify({ op: 'hello', from: newId() })

rule(
  79,
  'A peer message MUST be signed; an unsigned one, or one signed wrongly, is refused with 401 before it is read as a message',
  async () => {
    const { home } = pair
    const body = hello()
    expect((await postPeerMessage(home, body)).status).toBe(401)
    const wrong = [
      await postPeerMessage(home, body, signatureOf({ secret: 'another-secret-of-nobody', body })),
      await postPeerMessage(home, body, signatureOf({ secret: SECRET, body: hello() })),
      await postPeerMessage(home, body, signatureOf({ secret: SECRET, body, path: '/other' })),
      await postPeerMessage(home, '{', signatureOf({ secret: SECRET, body })),
    ]
    expect(wrong.map(({ status, json }) => [status, codeOf(json)])).toEqual(wrong.map(() => [401, 'not-signed']))
    const right = await postPeerMessage(home, body, signatureOf({ secret: SECRET, body }))
    expect([right.status, right.json]).toEqual([200, { storeId: pair.homeId, run: expect.any(String) }])
  },
)

rule(
  80,
  "`Reconcile-Signature` MUST be `t=<ms>, n=<nonce>, r=<run>, s=<mac>`, where mac is base64url of HMAC-SHA256 over method, path, t, n, the receiver's `Store-Id`, r and base64url of SHA-256 of the body, joined by line feeds",
  async () => {
    const text = await protocolText
    const bodies = [...text.matchAll(/^body +(\{.+\})$/gm)].map(([, body = '']) => body)
    const headers = [...text.matchAll(/^header +(t=(\d+), n=([\w-]+), r=([\w-]*), s=.+)$/gm)]
    expect([bodies.length, headers.length]).toEqual([2, 2])
    const { storeId = '' } = readJson(/^answer +(\{.+\})$/m.exec(text)?.[1] ?? '{}')
    for (const [i, [, header, nowMs, nonce = '', run = '']] of headers.entries()) {
      const to = { storeId: run === '' ? '' : String(storeId), run }
      const stamp = { secret: 'a-secret-of-this-example', body: bodies[i] ?? '', to, nonce, nowMs: Number(nowMs) }
      expect(signatureOf(stamp)).toBe(header)
    }
  },
)

rule(
  81,
  "A signature whose time is more than 60 s from the receiver's clock, or whose nonce was seen before, MUST be refused with 401",
  async () => {
    const { home } = pair
    const body = hello()
    const signature = signatureOf({ secret: SECRET, body })
    expect((await postPeerMessage(home, body, signature)).status).toBe(200)
    expect((await postPeerMessage(home, body, signature)).status).toBe(401)
    for (const apartMs of [-61_000, 70_000]) {
      const signed = signatureOf({ secret: SECRET, body, nowMs: Date.now() + apartMs })
      expect((await postPeerMessage(home, body, signed)).status).toBe(401)
    }
  },
)

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

rule(
  84,
  'The home MUST fetch what its peers verified while the upload still runs, and `commit` counts those blocks as its own',
  async () => {
    const client = pair.client(3 * B)
    const atMirror = client.at(pair.mirror)
    const stream = await WireEvents.open(pair.home, client.file.client)
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
  86,
  'A store that is no peer of the one asked MUST be refused with 404, one that cannot be reached now with 503 and `Retry-After`',
  async () => {
    const client = pair.client(B)
    await client.upload(0, B)
    const reply = await client.ask('status', { store: newId() })
    expect([reply.status, codeOf(reply.json)]).toEqual([404, 'unknown-store'])
  },
)

rule(
  201,
  'An answer to a message whose signature holds MUST be signed too, but for the bytes of `read`: `Reconcile-Signature: s=<mac>` over `ANSWER`, s of the message, the status, `Retry-After` or nothing, and base64url of SHA-256 of the body, with the secret that signed the message',
  async () => {
    const printed = /^header +(t=.+)\nanswer +(.+)\n.+\nheader +(s=.+)$/m.exec(await protocolText)
    const [, message = '', text = '', signature] = printed ?? []
    expect(answerSignatureOf({ secret: 'a-secret-of-this-example', message, status: 200, text })).toBe(signature)
    const { home } = pair
    const to = await receiverAt(home, SECRET)
    for (const [body, status] of [
      [hello(), 200],
      [JSON.stringify({ op: 'report', from: newId(), group: newId() }), 404],
    ] as const) {
      const message = signatureOf({ secret: SECRET, body, to })
      const reply = await postPeerMessage(home, body, message)
      expect(reply.status).toBe(status)
      const { text } = reply
      expect(headerOf(reply, 'reconcile-signature')).toBe(answerSignatureOf({ secret: SECRET, message, status, text }))
    }
    expect(headerOf(await postPeerMessage(home, hello()), 'reconcile-signature')).toBe(null)
  },
)

async function storedAtHome(client: WireClient, size: number): Promise<boolean> {
  const { json } = await client.ask('status')
  return JSON.stringify(json.stored) === JSON.stringify([[0, size]])
}
