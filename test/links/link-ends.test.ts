import { expect, test, vi } from 'vitest'
import type { Link } from '../support/links/index.js'
import { connectPeer, openEchoServer, openPeerServer, openTestLink, type Peer } from './tcp-peers.js'

/** A reset that comes together with bytes is an end to Node. */
const hasLearnt = ({ hasEnded, closedWith }: Peer) => hasEnded || closedWith !== undefined

/** Settles when the path is full: two looks in a row find nothing moved. */
async function untilStill(link: Link): Promise<void> {
  let before = 0
  await vi.waitFor(
    () => {
      const { upBytes } = link.counters
      const hasMoved = upBytes !== before || upBytes === 0
      before = upBytes
      if (hasMoved) throw new Error('still moving')
    },
    { interval: 100, timeout: 20_000 },
  )
}

const untilAllClosed = (link: Link) => expect.poll(() => link.counters.openConnections).toBe(0)

test('the client ends its side after its bytes, and the answer still comes', async () => {
  const server = await openPeerServer((peer) => {
    peer.socket.on('end', () => peer.socket.end(`got ${peer.receivedBytes}`))
  })
  const link = await openTestLink({ target: server.target, upBytesPerSecond: 1_000_000, delayMs: 5 })
  const client = await connectPeer(link)
  client.socket.end(Buffer.alloc(100_000))
  await client.until(({ closedWith }) => closedWith !== undefined)
  expect([client.text, client.closedWith]).toEqual(['got 100000', 'clean'])
  expect((await server.accepted()).closedWith).toBe('clean')
  expect(link.counters).toMatchObject({ upBytes: 100_000, downBytes: 10 })
  await untilAllClosed(link)
})

test('the server ends its side after its bytes, and still gets the rest', async () => {
  const server = await openPeerServer(({ socket }) => void socket.end(Buffer.alloc(50_000)))
  const link = await openTestLink({ target: server.target, downBytesPerSecond: 500_000, delayMs: 5 })
  const client = await connectPeer(link)
  await client.until(({ hasEnded }) => hasEnded)
  expect(client.receivedBytes).toBe(50_000)
  client.socket.end('the rest')
  const end = await server.accepted()
  await end.until(({ closedWith }) => closedWith === 'clean')
  expect(end.text).toBe('the rest')
})

test('an abort of the client reaches the server at once, past what is queued', async () => {
  const server = await openPeerServer()
  const link = await openTestLink({ target: server.target, upBytesPerSecond: 10_000, delayMs: 10 })
  const client = await connectPeer(link)
  client.flood()
  const end = await server.accepted()
  await end.until(({ receivedBytes }) => receivedBytes > 0)
  const abortedMs = performance.now()
  client.socket.resetAndDestroy()
  await end.until(hasLearnt)
  // the queue alone would take 3.2 s; a full queue is noticed when it has room again
  expect(performance.now() - abortedMs).toBeLessThan(2500)
})

test('an abort reaches a server that did not read, once it reads', async () => {
  const server = await openPeerServer(({ socket }) => void socket.pause())
  const link = await openTestLink({ target: server.target })
  const client = await connectPeer(link)
  client.flood()
  const end = await server.accepted()
  await untilStill(link)
  client.socket.resetAndDestroy()
  end.socket.resume()
  await end.until(hasLearnt)
})

test('a server that resets is carried on to the client', async () => {
  const server = await openPeerServer(({ socket }) => {
    socket.write('last words')
    socket.on('data', () => void socket.resetAndDestroy())
  })
  const link = await openTestLink({ target: server.target, downBytesPerSecond: 50_000, delayMs: 10 })
  const client = await connectPeer(link)
  await client.until(({ text }) => text === 'last words')
  client.socket.write('go')
  await client.until(({ closedWith }) => closedWith === 'ECONNRESET')
})

test('no server: the client is reset, once the refusal has travelled', async () => {
  const server = await openPeerServer()
  const gone = await openTestLink({ target: server.target })
  const port = gone.port
  await gone.close()
  const link = await openTestLink({ target: { host: '127.0.0.1', port }, delayMs: 20 })
  const fromMs = performance.now()
  const client = await connectPeer(link)
  client.socket.write('anyone?')
  await client.until(({ closedWith }) => closedWith === 'ECONNRESET')
  expect(performance.now() - fromMs).toBeGreaterThanOrEqual(39)
  await untilAllClosed(link)
})

test('a slow receiver stops the sender and loses nothing', async () => {
  const server = await openPeerServer(({ socket }) => void socket.pause())
  const link = await openTestLink({ target: server.target })
  const client = await connectPeer(link)
  client.socket.end(Buffer.alloc(20_000_000))
  const end = await server.accepted()
  await untilStill(link)
  expect(link.counters.upBytes).toBeLessThan(20_000_000)
  end.socket.resume()
  await end.until(({ hasEnded }) => hasEnded)
  expect(end.receivedBytes).toBe(20_000_000)
})

test('bytes arrive as they were sent, both ways at once', async () => {
  const server = await openEchoServer()
  const link = await openTestLink({ target: server.target, upBytesPerSecond: 4_000_000, delayMs: 3, jitterMs: 3 })
  const client = await connectPeer(link)
  const sent = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => (index * 7919) >> 5))
  const received: Buffer[] = []
  client.socket.on('data', (bytes: Buffer) => received.push(bytes))
  client.socket.write(sent)
  await client.until(({ receivedBytes }) => receivedBytes === sent.length)
  expect(Buffer.concat(received).equals(sent)).toBe(true)
})
