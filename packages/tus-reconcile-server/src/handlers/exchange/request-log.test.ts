import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { TestClient, TestFile } from '../../testing/client.js'
import { startCluster } from '../../testing/cluster.js'
import { SECRET } from '../../testing/server.js'
import { clientOf, testStores } from '../../testing/stores.js'

const B = BLOCK_SIZE
const { open, keep } = testStores()

const isRequest = (id: string) => (entry: Record<string, unknown>) => entry.msg === 'request' && entry.requestId === id

test('a request keeps its name in answer and log, whatever it asks for', async () => {
  const store = await open()
  const client = clientOf(store, B)
  const session = client.session(0, B)
  const named = (requestId: string) => ({ 'X-Request-ID': requestId })
  const create = await client.post(session, undefined, named('create/1'))
  const answers = [
    create,
    await client.patch({ ...session, url: session.url, attempt: 1 }, 0, client.file.bytes, named('append/2')),
    await client.head(session, { 'Tus-Resumable': '1.0.0', ...named('head/3') }),
    await client.send(store.endpoint, { method: 'OPTIONS', headers: named('options/4') }),
    await client.operate({ op: 'status', group: client.file.group, home: store.storeId }, named('status/5')),
    await client.send(`${store.endpoint}/nothing`, { headers: named('get/6') }),
    await client.send(session.url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0', ...named('delete/7') } }),
  ]
  const names = answers.map(({ headers }) => headers.get('x-request-id'))
  expect(names).toEqual(['create/1', 'append/2', 'head/3', 'options/4', 'status/5', 'get/6', 'delete/7'])
  expect(answers.map(({ status }) => status)).toEqual([201, 204, 200, 204, 200, 404, 204])
  const logged = await Promise.all(names.map((name) => store.logged(isRequest(name ?? ''))))
  expect(logged.map(({ kind, status }) => `${kind} ${status}`)).toEqual([
    'create 201',
    'append 204',
    'head 200',
    'options 204',
    'operation 200',
    'get 404',
    'delete 204',
  ])
  expect(create.headers.get('access-control-expose-headers')).toContain('X-Request-ID')
})

test('a name that is none is replaced, and so is an absent one', async () => {
  const store = await open()
  const seen = new Set<string | null>()
  for (const given of ['', 'a b', 'x'.repeat(129), 'tab\there', '"quoted"', undefined]) {
    const headers: HeadersInit = given === undefined ? {} : { 'X-Request-ID': given }
    const answer = await fetch(store.endpoint, { method: 'OPTIONS', headers })
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    seen.add(answer.headers.get('x-request-id'))
  }
  expect(seen.size).toBe(6)
})

test('what a request caused carries its name', async () => {
  const store = await open()
  const client = clientOf(store, B)
  const nothing = { op: 'status', group: client.file.group, home: store.storeId } as const
  expect((await client.operate(nothing, { 'X-Request-ID': 'who-asks' })).status).toBe(404)
  const refused = await store.logged((entry) => entry.msg === 'operation refused' && entry.requestId === 'who-asks')
  expect(refused).toMatchObject({ op: 'status', group: client.file.group, code: 'unknown-group' })
})

test('P88: logs hold no metadata, digests, secrets, signatures, headers or query strings, over two servers and faults', async () => {
  const hook = Object.assign(new Error('cannot ask https://auth.example/check?token=in-a-query'), {
    request: { headers: { authorization: 'Bearer in-an-error' } },
  })
  const [home, mirror] = await startCluster(2, (i) => ({
    tus: {
      onIncomingRequest: async (req) => {
        if (i === 0 && req.headers.has('x-fail')) throw hook
      },
    },
  }))
  if (!home || !mirror) throw new Error('no cluster')
  keep(home, mirror)
  const client = new TestClient(mirror.endpoint, new TestFile(2 * B), home.storeId)
  const secrets = {
    Authorization: 'Bearer in-a-header',
    Cookie: 'session=in-a-cookie',
    'Upload-Metadata': `filename ${Buffer.from('in-the-metadata').toString('base64')}`,
  }
  const session = client.session(0, 2 * B)
  expect((await client.post(session, client.file.bytes, secrets)).status).toBe(201)
  await client.ask('claim', {
    store: mirror.storeId,
    claims: [{ session: session.id, start: 0, leaves: client.file.leaves() }],
  })
  const root = await client.file.root()
  const commit = { op: 'commit', group: client.file.group, home: home.storeId, size: 2 * B, root } as const
  while ((await client.operate(commit, secrets)).status === 202);
  const file = `${home.endpoint}/${client.file.group}?signature=in-a-url`
  await client.send(file, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0', ...secrets } })
  const failed = await client.send(`${home.endpoint}/x`, {
    method: 'HEAD',
    headers: { 'Tus-Resumable': '1.0.0', 'X-Fail': '1', 'X-Request-ID': 'the-last' },
  })
  expect(failed.status).toBe(500)
  await home.logged(isRequest('the-last'))
  const log = JSON.stringify([home.log, mirror.log])
  expect(log).toContain('cannot ask https://auth.example/check?…')
  const never = [
    'in-a-header',
    'in-a-cookie',
    'in-the-metadata',
    'in-a-query',
    'in-an-error',
    'in-a-url',
    'filename',
    SECRET,
  ]
  never.push(secrets['Upload-Metadata'].slice('filename '.length), root, ...client.file.leaves())
  for (const text of never) expect(log).not.toContain(text)
  expect(log).not.toMatch(/[^a-z]s=[A-Za-z0-9_-]{43}/)
})
