import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStore, type TestStore } from '../../testing/server.js'

let store: TestStore
const seen: string[] = []
beforeAll(async () => {
  const onIncomingRequest = async (req: { method: string }) => void seen.push(req.method)
  store = await startStore({ tus: { allowedOrigins: ['https://app.example'], onIncomingRequest } })
})
afterAll(() => store.close())

const TUS = { 'Tus-Resumable': '1.0.0', Origin: 'https://app.example' }

test.each([['0.2.2'], ['1.0.0, 1.0.0'], [undefined]])(
  'handleWeb answers the version %s with 412, Tus-Version and CORS, and takes nothing of the body',
  async (version) => {
    const headers = { ...TUS, 'Upload-Length': '1', 'Tus-Resumable': version ?? '' }
    const req = new Request(store.endpoint, { method: 'POST', headers, body: 'x' })
    if (version === undefined) req.headers.delete('Tus-Resumable')
    const answer = await store.server.handleWeb(req)
    expect([answer.status, answer.headers.get('tus-version')]).toEqual([412, '1.0.0'])
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(req.bodyUsed).toBe(false)
  },
)

test('handleWeb takes a POST for the method that it names, with its body, and so does a hook', async () => {
  const send = (url: string, headers: Record<string, string>, body?: string) =>
    store.server.handleWeb(new Request(url, { method: 'POST', headers: { ...TUS, ...headers }, body: body ?? null }))
  const url = (await send(store.endpoint, { 'Upload-Length': '2' })).headers.get('location') ?? ''
  const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
  seen.length = 0
  expect((await send(url, { ...type, 'X-HTTP-Method-Override': 'PATCH' }, 'hi')).status).toBe(204)
  expect(await (await send(url, { 'X-HTTP-Method-Override': 'GET' })).text()).toBe('hi')
  expect(seen).toEqual(['PATCH', 'GET'])
})

test('the methods of the server can be taken from it and still know it', async () => {
  const { handleWeb } = store.server
  expect((await handleWeb(new Request(store.endpoint, { method: 'OPTIONS' }))).status).toBe(204)
})
