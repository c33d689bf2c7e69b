import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startStore, type TestStore } from '../../testing/server.js'
import { clientOf } from '../../testing/stores.js'

const B = BLOCK_SIZE
const HOUR_MS = 3_600_000
const BEGAN = new Date('2026-03-01T12:00:00Z')
let store: TestStore
beforeEach(async () => {
  // only the clock: timers and sockets go on as they are
  vi.useFakeTimers({ toFake: ['Date'], now: BEGAN })
  store = await startStore({ expireMs: 24 * HOUR_MS, reconcile: { cleanUpIntervalMs: 20 } })
})
afterEach(async () => {
  vi.useRealTimers()
  await store.close()
})

const hoursLater = (hours: number) => new Date(BEGAN.getTime() + hours * HOUR_MS)

test('expiry slides with the last byte, `Upload-Expires` says so, and what is expired is ended without being asked for', async () => {
  const client = clientOf(store, 4 * B)
  const session = client.session(0, 4 * B)
  const created = await client.post(session, client.file.bytes.subarray(0, B))
  expect(created.headers.get('upload-expires')).toBe(hoursLater(24).toUTCString())
  vi.setSystemTime(hoursLater(20))
  session.attempt = 1
  const appended = await client.patch(session, B, client.file.bytes.subarray(B, 2 * B))
  expect([appended.status, appended.headers.get('upload-expires')]).toEqual([204, hoursLater(44).toUTCString()])
  vi.setSystemTime(hoursLater(43))
  expect(await store.extension.cleanUp()).toBe(0)
  session.attempt = 2
  const head = await client.head(session)
  // looking does not keep it alive
  expect([head.status, head.headers.get('upload-expires')]).toEqual([200, hoursLater(44).toUTCString()])
  vi.setSystemTime(hoursLater(44.1))
  await store.logged((entry) => entry.msg === 'group ended' && entry.state === 'expired')
  session.attempt = 3
  const late = await client.head(session)
  expect([late.status, late.headers.get('reconcile-state')]).toEqual([410, 'expired'])
  expect(late.headers.get('upload-expires')).toBeNull()
})

test('a session whose body is on its way does not expire under it', async () => {
  const client = clientOf(store, 4 * B)
  const session = client.session(0, 4 * B)
  await client.post(session)
  const slow = await client.beginPatch(session, 10)
  vi.setSystemTime(hoursLater(30))
  expect(await store.extension.cleanUp()).toBe(0)
  slow.write(client.file.bytes.subarray(10, 4 * B))
  slow.end()
  expect((await slow.answer).status).toBe(204)
})
