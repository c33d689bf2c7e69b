import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import type { OperationError } from '../orchestration/ports.js'
import { AnsweringServers, ATTEMPT, clientOf as clientAt } from '../testing/answering-server.js'
import type { ReconcileClient } from './reconcile-client.js'

const NEVER = new AbortController().signal
const ID = 'a'.repeat(22)
const TUS = { 'Tus-Resumable': '1.0.0', 'Tus-Version': '1.0.0' }

const servers = new AnsweringServers()
afterEach(() => servers.close())

/** A client of a server that answers everything so. */
async function clientOf(
  status: number,
  headers: OutgoingHttpHeaders,
  body = '{}',
  onBeforeRequest?: () => Promise<void>,
): Promise<ReconcileClient> {
  const endpoint = await servers.listen((_request, response) => response.writeHead(status, headers).end(body))
  return clientAt(endpoint, { onBeforeRequest })
}

test('every kind of answer tells the load that it carries', async () => {
  const loads: number[] = []
  const onLoad = (load: number) => loads.push(load)
  const client = await clientOf(200, { ...TUS, 'Reconcile-Load': '0.125', 'Upload-Offset': '3', Location: '/files/x' })
  await client.probe(NEVER, onLoad)
  await client.attempt({ ...ATTEMPT, onLoad })
  await client.operate({ op: 'terminate', group: ID, home: ID, store: ID, client: ID }, NEVER, onLoad).catch(() => {})
  await client.listen({
    ...{ client: ID, lastEventId: undefined, signal: NEVER, onLoad },
    ...{ onEvent: () => {}, onAlive: () => {} },
  })
  expect(loads).toEqual([0.125, 0.125, 0.125, 0.125])
})

test('an event stream that is left ends at its server, also when memory was collected since it began', async () => {
  let ended: Promise<unknown> = Promise.resolve()
  const endpoint = await servers.listen((_request, response) => {
    ended = once(response, 'close')
    response.writeHead(200, { ...TUS, 'Content-Type': 'text/event-stream' }).write(': hb\n\n')
  })
  const leave = new AbortController()
  let listening = Promise.resolve()
  await new Promise<void>((resolve) => {
    listening = clientAt(endpoint).listen({
      ...{ client: ID, lastEventId: undefined, signal: leave.signal, onLoad: () => {}, onEvent: () => {} },
      onAlive: resolve,
    })
  })
  await collectMemory()
  leave.abort()
  await listening.catch(() => {})
  await ended
})

/** All of it, young and old. */
async function collectMemory(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (o?: { type: 'minor' }) => void
  for (const o of [undefined, undefined, { type: 'minor' as const }]) {
    collect(o)
    await nextTurn()
  }
}

test('a redirect is followed by no request, so that no other origin gets the headers', async () => {
  const asked: string[] = []
  const other = await servers.listen((request, response) => {
    asked.push(request.method ?? '')
    response.writeHead(200, TUS).end('{}')
  })
  const client = await clientOf(307, { Location: other })
  const ids = { group: ID, home: ID, store: ID, client: ID }
  const listening = client.listen({
    ...{ client: ID, lastEventId: undefined, signal: NEVER },
    ...{ onEvent: () => {}, onAlive: () => {}, onLoad: () => {} },
  })
  await expect(listening).rejects.toThrow()
  await expect(client.operate({ op: 'status', ...ids }, NEVER)).rejects.toMatchObject({ status: 307 })
  await expect(client.probe(NEVER)).rejects.toMatchObject({ code: 'not-a-tus-server' })
  expect(await client.attempt(ATTEMPT)).toMatchObject({ kind: 'cut', fault: 'no Tus-Resumable' })
  expect(asked).toEqual([])
})

test.each(['', 'much', '1.5', '-0.1', 'NaN', '0.5;a, 2'])('the load %j says nothing', async (load) => {
  const client = await clientOf(200, { ...TUS, 'Reconcile-Load': load })
  await client.probe(NEVER, () => {
    throw new Error('told')
  })
})

test('a refusal says its load, and for how long the server wants to be left alone', async () => {
  const client = await clientOf(503, { ...TUS, 'Reconcile-Load': '0.95', 'Retry-After': '7' })
  const loads: number[] = []
  const refused: unknown = await client
    .operate({ op: 'status', group: ID, home: ID, store: ID, client: ID }, NEVER, (load) => loads.push(load))
    .catch((error: unknown) => error)
  expect(refused).toMatchObject({ status: 503, retryAfterMs: 7_000 } satisfies Partial<OperationError>)
  expect(loads).toEqual([0.95])
  expect(await client.attempt(ATTEMPT)).toEqual({ kind: 'wait', status: 503, retryAfterMs: 7_000 })
})

test.each(['86401', '9007199254741', '9'.repeat(400), 'Fri, 31 Dec 9999 23:59:59 GMT'])(
  'a server that wants to be left alone until %.20s is, for a day',
  async (when) => {
    const client = await clientOf(503, { ...TUS, 'Retry-After': when })
    expect(await client.attempt(ATTEMPT)).toEqual({ kind: 'wait', status: 503, retryAfterMs: 86_400_000 })
  },
)

test('a request goes out when the application’s own hook lets it', async () => {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const steps: string[] = []
  const client = await clientOf(200, { ...TUS, 'Upload-Offset': '3', Location: '/files/x' }, '', () => {
    steps.push('hook')
    return held
  })
  const done = client.attempt({ ...ATTEMPT, onSending: () => steps.push('sending') })
  await expect.poll(() => steps).toEqual(['hook'])
  letGo()
  await done
  expect(steps).toEqual(['hook', 'sending'])
})
