import { PassThrough } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ByteRun } from '../groups/byte-run.js'
import { requestBody } from './request-body.js'

/** A body of Node's, with what of a request is read beside it. */
function bodyOf(incoming: PassThrough): ReturnType<typeof requestBody> {
  const req = Object.assign(new Request('http://localhost/files'), {
    runtime: { node: { req: Object.assign(incoming, { complete: false }) } },
  })
  return requestBody(req as unknown as Parameters<typeof requestBody>[0])
}

test('a read that waits in vain is stalled, and the next one begins anew', async () => {
  const incoming = new PassThrough()
  const body = bodyOf(incoming)
  expect(await body.read(5)).toEqual({ kind: 'stalled' })
  const next = body.read(10_000)
  incoming.write('x')
  expect(await next).toEqual({ kind: 'bytes', bytes: new ByteRun([Buffer.from('x')]) })
})

test('bytes that come while this process is busy are read, though their time is over when it looks', async () => {
  const incoming = new PassThrough()
  const body = bodyOf(incoming)
  const read = body.read(5)
  // as after a long turn of the loop: the timer is due, and so are the bytes
  setTimeout(() => incoming.write('late'), 5)
  const until = performance.now() + 50
  while (performance.now() < until);
  expect(await read).toEqual({ kind: 'bytes', bytes: new ByteRun([Buffer.from('late')]) })
})

test('whoever waits for a body that is released waits no more, and takes nothing more of it', async () => {
  const incoming = new PassThrough()
  const body = bodyOf(incoming)
  const read = body.read(10_000)
  body.release()
  incoming.write('x')
  expect([await read, await body.read(10_000)]).toEqual([{ kind: 'cut' }, { kind: 'cut' }])
  expect(String(incoming.read())).toBe('x')
})

test('a poke wakes the pending read, or the next one', async () => {
  const body = bodyOf(new PassThrough())
  const read = body.read(10_000)
  body.poke()
  expect(await read).toEqual({ kind: 'changed' })
  body.poke()
  expect(await body.read(10_000)).toEqual({ kind: 'changed' })
})

test('what comes close together is one read, which does not wait long for more', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const incoming = new PassThrough()
  const body = bodyOf(incoming)
  let isRead = false
  const read = body.read(10_000).finally(() => {
    isRead = true
  })
  for (const text of ['a', 'b']) {
    incoming.write(text)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(isRead).toBe(false)
  vi.advanceTimersByTime(4)
  expect(await read).toEqual({ kind: 'bytes', bytes: new ByteRun([Buffer.from('a'), Buffer.from('b')]) })
})

test('a body that ends, or brings as much as a write takes, is read at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const incoming = new PassThrough({ highWaterMark: 1_000_000 })
  const body = bodyOf(incoming)
  incoming.write(Buffer.alloc(300_000))
  expect(await body.read(10_000)).toMatchObject({ bytes: { length: 300_000 } })
  incoming.end('end')
  expect(await body.read(10_000)).toMatchObject({ bytes: { length: 3 } })
})
