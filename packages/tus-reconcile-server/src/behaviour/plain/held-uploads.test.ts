import { ERRORS, EVENTS, type Locker, type ServerOptions } from '@tus/server'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { QueueLocker } from '../../plain/queue-locker.js'
import type { TestStore } from '../../testing/server.js'
import { testStores } from '../../testing/stores.js'
import { SlowRequest } from '../../testing/streams.js'

const TUS = { 'Tus-Resumable': '1.0.0' }
const stores = testStores()
const open = (tus: Partial<ServerOptions>): Promise<TestStore> =>
  stores.open({ tus: { postReceiveInterval: 1, ...tus } })

/** A PATCH of a new upload whose first 5 of 10 bytes have arrived. */
async function beginPatch(store: TestStore): Promise<SlowRequest & { url: string }> {
  const arrived = new Promise((resolve) => store.server.on(EVENTS.POST_RECEIVE, resolve))
  const creation = await fetch(store.endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Length': '10' } })
  const url = creation.headers.get('location') ?? ''
  const headers = { ...TUS, 'Upload-Offset': 0, 'Content-Type': BODY_CONTENT_TYPE, 'Content-Length': 10 }
  const slow = new SlowRequest('PATCH', url, headers)
  slow.write(Buffer.from('12345'))
  await arrived
  return Object.assign(slow, { url })
}

function head(url: string): Promise<Response> {
  return fetch(url, { method: 'HEAD', headers: TUS })
}

test('a request for an upload that is held too long is 423 with Retry-After', async () => {
  const store = await open({ locker: new QueueLocker(undefined, 20), lockDrainTimeout: 600_000 })
  const slow = await beginPatch(store)
  const answer = await head(slow.url)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([423, '1'])
  slow.write(Buffer.from('67890'))
  slow.end()
  expect((await slow.answer).status).toBe(204)
})

test('the locker of somebody else that gives up is 423 too, not 500', async () => {
  const locker: Locker = {
    newLock: () => ({
      lock: async () => {
        throw ERRORS.ERR_LOCK_TIMEOUT
      },
      unlock: async () => {},
    }),
  }
  const store = await open({ locker })
  const answer = await fetch(store.endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Length': '10' } })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([423, '1'])
})

test('a PATCH that is cut for another request is 409 with what arrived, never 2xx in mid-body', async () => {
  const store = await open({ lockDrainTimeout: 1 })
  const slow = await beginPatch(store)
  expect((await head(slow.url)).headers.get('upload-offset')).toBe('5')
  const answer = await slow.answer
  expect([answer.status, answer.headers['upload-offset'], answer.headers.connection]).toEqual([409, '5', 'close'])
})

test('requests that wait for a held upload are woken in their order, and one that gives up is 423', async () => {
  const locker = new QueueLocker()
  const never = new AbortController().signal
  const first = locker.newLock('a')
  await first.lock(never, () => {})
  const order: number[] = []
  const waiting = [1, 2, 3].map(async (number) => {
    const lock = locker.newLock('a')
    await lock.lock(never, () => {})
    order.push(number)
    await lock.unlock()
  })
  await first.unlock()
  await Promise.all(waiting)
  expect(order).toEqual([1, 2, 3])
  await first.lock(never, () => {})
  const gone = new AbortController()
  const waiter = locker.newLock('a').lock(gone.signal, () => {})
  gone.abort()
  await expect(waiter).rejects.toMatchObject({ status_code: 423 })
})
