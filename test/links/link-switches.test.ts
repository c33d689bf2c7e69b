import { expect, test } from 'vitest'
import { connectPeer, openEchoServer, openPeerServer, openTestLink, roundTripElsewhere } from './tcp-peers.js'

async function openEchoLink() {
  const server = await openEchoServer()
  const link = await openTestLink({ target: server.target, upBytesPerSecond: 1_000_000 })
  const client = await connectPeer(link)
  client.socket.write('one ')
  await client.until(({ text }) => text === 'one ')
  return { server, link, client }
}

test.each(['stall', 'blackHole'] as const)(
  '%s: nothing gets through and nobody is told, until it ends',
  async (name) => {
    const { server, link, client } = await openEchoLink()
    link[name]()
    client.socket.write('two ')
    const newcomer = await connectPeer(link)
    newcomer.socket.write('new')
    await roundTripElsewhere()
    expect([client.text, client.closedWith]).toEqual(['one ', undefined])
    expect([newcomer.text, newcomer.closedWith]).toEqual(['', undefined])
    expect(server.peers).toHaveLength(1)

    if (name === 'stall') link.resume()
    else link.restore()
    await client.until(({ text }) => text === 'one two ')
    await newcomer.until(({ text }) => text === 'new')
    expect(link.rateHistory.map((step) => step.bytesPerSecond)).toEqual([1_000_000, 0, 1_000_000])
  },
)

test('stallConnections: what is open goes silent, new connections work', async () => {
  const { link, client } = await openEchoLink()
  link.stallConnections()
  client.socket.write('two ')
  const newcomer = await connectPeer(link)
  newcomer.socket.write('new')
  await newcomer.until(({ text }) => text === 'new')
  expect(client.text).toBe('one ')
  link.resume()
  await client.until(({ text }) => text === 'one two ')
})

test('bytes on their way when it stalls arrive when it goes on', async () => {
  const server = await openPeerServer()
  const link = await openTestLink({ target: server.target, delayMs: 30 })
  const client = await connectPeer(link)
  client.socket.write('a')
  const end = await server.accepted()
  await end.until(({ text }) => text === 'a')
  client.socket.write('b')
  link.stall()
  client.socket.write('c')
  await roundTripElsewhere()
  expect(end.text).toBe('a')
  link.resume()
  await end.until(({ text }) => text === 'abc')
})

test('while stalled, a client that goes away is not noticed by the server', async () => {
  const { server, link, client } = await openEchoLink()
  const end = await server.accepted()
  link.stall()
  client.socket.resetAndDestroy()
  await roundTripElsewhere()
  expect(end.closedWith).toBeUndefined()
  link.resume()
  await end.until(({ closedWith }) => closedWith === 'ECONNRESET')
})

test('reset: both sides of every connection are reset, new ones work', async () => {
  const { server, link, client } = await openEchoLink()
  const end = await server.accepted()
  link.reset()
  await client.until(({ closedWith }) => closedWith === 'ECONNRESET')
  await end.until(({ closedWith }) => closedWith === 'ECONNRESET')
  const newcomer = await connectPeer(link)
  newcomer.socket.write('new')
  await newcomer.until(({ text }) => text === 'new')
  expect(link.counters).toMatchObject({ connections: 2, openConnections: 1 })
})

test('refuse: open connections and new ones are reset, until it is restored', async () => {
  const { server, link, client } = await openEchoLink()
  link.refuse()
  await client.until(({ closedWith }) => closedWith === 'ECONNRESET')
  const refused = await connectPeer(link)
  await refused.until(({ closedWith }) => closedWith === 'ECONNRESET')
  expect(server.peers).toHaveLength(1)
  link.restore()
  const newcomer = await connectPeer(link)
  newcomer.socket.write('new')
  await newcomer.until(({ text }) => text === 'new')
  expect(link.rateHistory.map((step) => step.bytesPerSecond)).toEqual([1_000_000, 0, 1_000_000])
})

test('a switch ends only what it began', async () => {
  const { link } = await openEchoLink()
  link.stall()
  link.restore()
  expect(link.state).toBe('stalled')
  link.blackHole()
  link.resume()
  expect(link.state).toBe('blackHole')
})

test('bad settings are refused and leave the old ones', async () => {
  const { link, client } = await openEchoLink()
  expect(() => link.set({ upBytesPerSecond: 1, delayMs: -1 })).toThrow(
    'link test: delayMs must be from 0 to 3600000, not -1',
  )
  expect(() => link.set({ perConnectionBytesPerSecond: Number.NaN })).toThrow('NaN')
  expect(() => link.set({ delayMs: 1, upBytesPerSecond: -5 })).toThrow('-5')
  expect(link.rateHistory).toHaveLength(1)
  client.socket.write('two')
  await client.until(({ text }) => text === 'one two')
  await expect(openTestLink({ target: { host: '127.0.0.1', port: 1 }, queueBytes: 300_000 })).rejects.toThrow(
    'queueBytes',
  )
})
