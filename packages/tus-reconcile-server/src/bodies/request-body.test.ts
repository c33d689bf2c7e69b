import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
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
