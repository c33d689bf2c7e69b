import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { newId } from '../../testing/client.js'
import { clientOf, testStores } from '../../testing/stores.js'

const stores = testStores()

test('P213: A `drop` of more sessions that were never seen than a server remembers MUST be refused with 429 and `Retry-After`; those that it remembers stay refused', async () => {
  const store = await stores.open()
  const client = clientOf(store, 2 * BLOCK_SIZE)
  const { group, client: id } = client.file
  await client.upload(0, BLOCK_SIZE)
  const late = client.session(BLOCK_SIZE, 2 * BLOCK_SIZE)
  const drop = (sessions: readonly string[]) => {
    const changes = sessions.map((session) => ({ session, drop: true, reason: 'superseded' }) as const)
    return client.operate({ op: 'plan', group, client: id, home: store.storeId, changes })
  }
  const first = [late.id, ...Array.from({ length: 1023 }, newId)]
  const dropped = await drop(first)
  expect([dropped.status, JSON.parse(dropped.text).sessions.length]).toEqual([200, 1024])
  const beyond = await drop([newId()])
  expect([beyond.status, beyond.headers.get('retry-after')]).toEqual([429, '5'])
  expect((await drop(first)).status).toBe(200)
  const url = `${store.endpoint}/${group}.${late.id}`
  for (const answer of [await client.post(late), await client.head({ ...late, url })]) {
    expect([answer.status, answer.headers.get('reconcile-state')]).toEqual([410, 'superseded'])
  }
  const claims = [{ session: late.id, start: BLOCK_SIZE, leaves: client.file.leaves(BLOCK_SIZE) }]
  expect((await client.ask('claim', { claims })).answer.superseded).toEqual([late.id])
  // it is no session of the upload: nothing else counts it
  expect((await client.ask('status')).answer.sessions.map(({ partition }) => partition)).toEqual(['p0'])
  expect((await client.post(client.session(BLOCK_SIZE, 2 * BLOCK_SIZE))).status).toBe(201)
})
