import { randomBytes } from 'node:crypto'
import { BLOCK_SIZE, encodeDigest } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { newId } from '../../testing/client.js'
import { clientOf, testStores } from '../../testing/stores.js'

const stores = testStores()

test('P212: A claim of more digests ahead of their bytes than a server keeps MUST be refused with 429 and `Retry-After`, and what it says of stored blocks counts all the same', async () => {
  const store = await stores.open()
  const client = clientOf(store, 2 * BLOCK_SIZE)
  const { group, client: id } = client.file
  // of a file whose size nobody has named
  const session = client.session(0, 2 * BLOCK_SIZE)
  const partition = client.header(session)['Upload-Partition'] ?? ''
  const open = { 'Upload-Partition': partition.replace(/, (end|size)=\d+/g, '') }
  await client.post(session, client.file.bytes, open)
  const [first = '', second = ''] = client.file.leaves()
  const leaves = Array.from({ length: 4096 }, () => encodeDigest(randomBytes(32)))
  const claim = (claims: { session: string; start: number; leaves: readonly string[] }[]) =>
    client.operate({ op: 'claim', group, client: id, home: store.storeId, claims })
  const statuses: number[] = []
  for (let message = 1; message <= 4; message++) {
    const ahead = Array.from({ length: 5 }, (_, i) => ({
      session: newId(),
      start: (message * 5 + i) * 4096 * BLOCK_SIZE,
      leaves,
    }))
    const answer = await claim([
      ...ahead,
      { session: session.id, start: 0, leaves: message < 4 ? [first] : [first, second] },
    ])
    statuses.push(answer.status)
    if (answer.status === 429) expect(answer.headers.get('retry-after')).toBe('5')
  }
  expect(statuses).toEqual([200, 200, 200, 429])
  expect((await client.ask('status')).answer.verified).toEqual([{ start: 0, end: 2 * BLOCK_SIZE }])
  expect((await claim([{ session: newId(), start: 2 ** 40, leaves }])).status).toBe(429)
}, 60_000)
