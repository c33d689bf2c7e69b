import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { newId, TestClient, TestFile } from './testing/client.js'
import { startStore } from './testing/server.js'

test('digests claimed ahead of their bytes are bounded: beyond that 429, and what is sent goes on', async () => {
  const store = await startStore()
  const client = new TestClient(store.endpoint, new TestFile(2 * BLOCK_SIZE), store.storeId)
  const { group, client: id } = client.file
  // of a file whose size nobody has named
  const session = client.session(0, BLOCK_SIZE)
  const partition = client.header(session)['Upload-Partition'] ?? ''
  const open = { 'Upload-Partition': partition.replace(/, (end|size)=\d+/g, '') }
  await client.post(session, client.file.bytes.subarray(0, BLOCK_SIZE), open)
  const leaf = client.file.leaves()[0] ?? ''
  const leaves = Array.from({ length: 4096 }, () => leaf)
  const statuses: number[] = []
  let message = 1
  for (; message <= 5; message++) {
    const claims = Array.from({ length: 5 }, (_, i) => ({
      session: newId(),
      start: (message * 5 + i) * 4096 * BLOCK_SIZE,
      leaves,
    }))
    const answer = await client.operate({ op: 'claim', group, client: id, home: store.storeId, claims })
    statuses.push(answer.status)
    if (answer.status === 429) expect(answer.headers.get('retry-after')).toBe('5')
  }
  expect(statuses).toEqual([200, 200, 200, 200, 429])
  await store.close()
}, 60_000)
