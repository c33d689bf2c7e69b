import { afterEach, expect, test, vi } from 'vitest'
import { LastMile, openLink } from '../support/links/index.js'
import { connectPeer, openPeerServer } from './tcp-peers.js'

afterEach(() => void vi.restoreAllMocks())

/** Timers set and neither fired nor cleared. */
function watchTimers(): Set<unknown> {
  const pending = new Set<unknown>()
  const { setTimeout: set, clearTimeout: clear } = globalThis
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((callback: () => void, delayMs: number) => {
    const timer = set(() => {
      pending.delete(timer)
      callback()
    }, delayMs)
    pending.add(timer)
    return timer
  }) as typeof setTimeout)
  vi.spyOn(globalThis, 'clearTimeout').mockImplementation((timer) => {
    pending.delete(timer)
    clear(timer)
  })
  return pending
}

test('an idle link has no timer', async () => {
  const pending = watchTimers()
  const server = await openPeerServer()
  const link = await openLink({ name: 'idle', target: server.target, upBytesPerSecond: 100_000, delayMs: 5 })
  const client = await connectPeer(link)
  client.socket.write(Buffer.alloc(10_000))
  const end = await server.accepted()
  await end.until(({ receivedBytes }) => receivedBytes === 10_000)
  expect(pending.size).toBe(0)
  link.stall()
  client.socket.write('held')
  link.resume()
  await end.until(({ receivedBytes }) => receivedBytes === 10_004)
  expect(pending.size).toBe(0)
  await link.close()
})

test('close in the middle of everything leaves no timer and no socket', async () => {
  const pending = watchTimers()
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length
  const server = await openPeerServer((peer) => peer.flood())
  const before = sockets()
  const lastMile = new LastMile({ upBytesPerSecond: 100_000, downBytesPerSecond: 100_000 })
  const link = await openLink({ name: 'busy', target: server.target, lastMile, delayMs: 40 })
  const clients = [await connectPeer(link), await connectPeer(link)]
  for (const client of clients) client.flood()
  for (const client of clients) await client.until(({ receivedBytes }) => receivedBytes > 0)
  expect(pending.size).toBeGreaterThan(0)
  link.stallConnections()
  const late = await connectPeer(link)
  await link.close()
  await link.close()
  expect(link.counters.openConnections).toBe(0)
  expect(pending.size).toBe(0)
  for (const peer of [...clients, late, ...server.peers]) {
    peer.socket.destroy()
    await peer.until(({ closedWith }) => closedWith !== undefined)
  }
  expect(sockets()).toBeLessThanOrEqual(before)
})

test('a closed link frees its port, and refuses by the kernel', async () => {
  const server = await openPeerServer()
  const first = await openLink({ name: 'first', target: server.target })
  const { port, origin } = first
  expect(origin).toBe(`http://127.0.0.1:${port}`)
  await first.close()
  const second = await openLink({ name: 'second', target: server.target, port })
  expect(second.port).toBe(port)
  await expect(openLink({ name: 'third', target: server.target, port })).rejects.toThrow('EADDRINUSE')
  await second.close()
})
