import type { Socket } from 'node:net'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { clientOf, testStores } from '../../testing/stores.js'
import { SlowRequest } from '../../testing/streams.js'

const B = BLOCK_SIZE
const { open } = testStores()

/** What a late body may cost: what is drained after the answer, and what Node and the kernel have read by then. */
const MOST_READ_BYTES = 1_048_576

test('a late copy of what is verified is refused with its body unread, however much the client goes on to send', async () => {
  const store = await open()
  const client = clientOf(store, 64 * B)
  await client.claim(await client.upload(0, 64 * B, 'p'))
  const sockets: Socket[] = []
  store.http.on('connection', (socket: Socket) => sockets.push(socket))
  const late = client.session(0, 64 * B, 'p')
  const slow = new SlowRequest('POST', store.endpoint, {
    ...client.header(late),
    'Upload-Defer-Length': '1',
    'Content-Type': 'application/offset+octet-stream',
    'Content-Length': 64 * B,
  })
  const more = (): void =>
    void (slow.request.destroyed || slow.request.write(Buffer.alloc(65_536), () => setImmediate(more)))
  more()
  const answer = await slow.answer
  expect([answer.status, answer.headers['reconcile-state'], answer.headers.connection]).toEqual([
    410,
    'superseded',
    'close',
  ])
  await slow.closed
  const read = sockets.reduce((sum, socket) => sum + socket.bytesRead, 0)
  expect(read).toBeLessThan(MOST_READ_BYTES)
})
