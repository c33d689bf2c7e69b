import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, newId, send, TUS } from './wire-client.js'
import { headerOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(
  1,
  'OPTIONS on the endpoint MUST be answered 204 with `Tus-Version` and a `Tus-Extension` that lists `reconcile-1`',
  async () => {
    const reply = await send(pair.home, { method: 'OPTIONS' })
    expect([reply.status, headerOf(reply, 'tus-version')]).toEqual([204, '1.0.0'])
    expect(headerOf(reply, 'tus-extension')?.split(',')).toContain('reconcile-1')
  },
)

rule(
  4,
  'A client MUST take two addresses that state the same `Store-Id` for two routes to one store, and two names for two stores',
  async () => {
    const again = await send(pair.home, { method: 'OPTIONS' })
    const other = await send(pair.mirror, { method: 'OPTIONS' })
    expect(headerOf(again, 'store-id')).toBe(pair.homeId)
    expect(pair.homeId).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(headerOf(other, 'store-id')).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(headerOf(other, 'store-id')).not.toBe(pair.homeId)
  },
)

rule(5, 'The OPTIONS answer MUST carry `Reconcile-Block-Size: 262144`, the only value of version 1', async () => {
  expect(headerOf(await send(pair.home, { method: 'OPTIONS' }), 'reconcile-block-size')).toBe(String(B))
})

rule(
  7,
  'CORS MUST let a browser send `Upload-Partition` and read `Store-Id`, `Reconcile-State`, `Reconcile-Upload`, `Upload-Limit`, `Upload-Expires` and `Retry-After`',
  async () => {
    const preflight = await send(pair.home, { method: 'OPTIONS' })
    expect(headerOf(preflight, 'access-control-allow-origin')).toBe('*')
    expect(names(headerOf(preflight, 'access-control-allow-headers'))).toContain('upload-partition')
    const client = pair.client(B)
    const exposed = names(headerOf(await client.create(client.session(0, B)), 'access-control-expose-headers'))
    const wanted = ['Store-Id', 'Reconcile-State', 'Reconcile-Upload', 'Upload-Limit', 'Upload-Expires', 'Retry-After']
    expect(wanted.filter((each) => !exposed.includes(each.toLowerCase()))).toEqual([])
  },
)

rule(
  217,
  "An answer that lets a page's origin read it (`Access-Control-Allow-Origin`) MUST let that origin know how it came: `Timing-Allow-Origin` with the same value",
  async () => {
    const client = pair.client(B)
    const session = client.session(0, B)
    const replies = [
      await send(pair.home, { method: 'OPTIONS' }),
      await client.create(session),
      await client.patch(session, 0, client.file.bytes),
      await client.head(session),
      await client.ask('status'),
      await send(`${pair.home}/${newId()}`),
      await send(`${pair.home}/${newId()}`, { method: 'HEAD', headers: TUS }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([204, 201, 204, 200, 200, 404, 404])
    const values = replies.map((reply) => headerOf(reply, 'timing-allow-origin'))
    expect(values).toEqual(replies.map((reply) => headerOf(reply, 'access-control-allow-origin')))
    expect(values).not.toContain(null)
  },
)

rule(
  8,
  'Every request but OPTIONS and GET MUST carry `Tus-Resumable: 1.0.0`, operations included; one without is answered 412',
  async () => {
    const init = { headers: { 'Content-Type': 'application/tus-reconcile+json' }, body: '{}' }
    expect((await send(pair.home, { method: 'POST', ...init })).status).toBe(412)
    expect((await send(`${pair.home}/${newId()}`, { method: 'HEAD' })).status).toBe(412)
  },
)

rule(
  9,
  "Every answer but GET's MUST carry `Tus-Resumable`; a client takes one below 500 without it, other than 413 and 429, and 401 and 403 where it has other credentials to ask for, for the network's (captive portal, proxy) and not for the server's",
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    const replies = [
      await send(pair.home, { method: 'OPTIONS' }),
      await client.create(session, client.file.bytes.subarray(0, 9)),
      await client.create(session),
      await client.patch(session, 8, Buffer.alloc(1)),
      await client.head(session),
      await send(`${pair.home}/${newId()}`, { method: 'HEAD', headers: TUS }),
      await client.ask('status'),
      await client.postOperation('{'),
      await send(session.url, { method: 'DELETE', headers: TUS }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([204, 201, 200, 409, 200, 404, 200, 400, 204])
    expect(replies.map((reply) => headerOf(reply, 'tus-resumable'))).toEqual(replies.map(() => '1.0.0'))
  },
)

rule(
  170,
  'An answer MUST carry `X-Request-ID`: that of the request where it is 1 to 128 of `A-Z a-z 0-9 . _ ~ : + / = -`, else one that the server makes',
  async () => {
    const headers = { ...TUS, 'X-Request-ID': 'a/name:of=mine' }
    const named = await send(`${pair.home}/${newId()}`, { method: 'HEAD', headers })
    expect([named.status, headerOf(named, 'x-request-id')]).toEqual([404, 'a/name:of=mine'])
    const bad = await send(pair.home, { method: 'OPTIONS', headers: { 'X-Request-ID': 'not a name' } })
    expect(headerOf(bad, 'x-request-id')).toMatch(/^[A-Za-z0-9._~:+/=-]{1,128}$/)
  },
)

rule(
  171,
  'An answer MUST carry `Reconcile-Load`, a decimal from 0 to 1 (RFC 9651): how busy this server is',
  async () => {
    const client = pair.client(B)
    const replies = [
      await send(pair.home, { method: 'OPTIONS' }),
      await client.create(client.session(0, B)),
      await send(`${pair.home}/${newId()}`, { method: 'HEAD', headers: TUS }),
      await send(`${pair.home}/${newId()}`),
    ]
    expect(replies.map(({ status }) => status)).toEqual([204, 201, 404, 404])
    for (const reply of replies) expect(headerOf(reply, 'reconcile-load')).toMatch(/^(0\.\d{1,3}|1\.0{1,3})$/)
  },
)

function names(list: string | null): string[] {
  return (list ?? '').split(',').map((each) => each.trim().toLowerCase())
}
