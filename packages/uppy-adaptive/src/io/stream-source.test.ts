import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isStream, StreamSource } from './stream-source.js'

const bytes = (from: number, to: number) => Uint8Array.from({ length: to - from }, (_, i) => (from + i) % 251)

async function* inPieces(sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const size of sizes) {
    yield bytes(at, at + size)
    at += size
  }
}

test('web streams, Node’s and generators are streams; what has a size is not', () => {
  expect(isStream(new ReadableStream())).toBe(true)
  expect(isStream(Readable.from([]))).toBe(true)
  expect(isStream(inPieces([]))).toBe(true)
  for (const other of [new Uint8Array(1), Buffer.from('a'), new Blob(['a']), { path: 'a' }, null, 'a'])
    expect(isStream(other)).toBe(false)
})

test.each([
  ['a web stream', () => new Blob([bytes(0, 10)]).stream()],
  ['a Readable', () => Readable.from([Buffer.from(bytes(0, 4)), Buffer.from(bytes(4, 10))])],
  ['a generator', () => inPieces([3, 0, 7])],
])('%s is read in its order, and has a size at its end', async (_name, open) => {
  const source = new StreamSource(open(), 100)
  expect(source.sizeBytes).toBe(Number.POSITIVE_INFINITY)
  expect(await source.body({ start: 0, end: 6 })).toEqual(bytes(0, 6))
  expect(await source.body({ start: 6, end: 16 })).toEqual(bytes(6, 10))
  expect(source.sizeBytes).toBe(10)
})

test('however it comes in pieces and is asked for, each byte is given once, and again until it is released', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 50 }), { maxLength: 20 }),
      fc.array(fc.record({ ask: fc.integer({ min: 1, max: 60 }), kept: fc.double({ min: 0, max: 1, noNaN: true }) })),
      async (sizes, steps) => {
        const source = new StreamSource(inPieces(sizes), 40)
        const total = sizes.reduce((sum, size) => sum + size, 0)
        let acked = 0
        for (const { ask, kept } of steps) {
          const body = await source.body({ start: acked, end: acked + ask })
          expect(body).toEqual(bytes(acked, Math.min(total, acked + Math.min(ask, 40))))
          acked += Math.floor(body.length * kept)
          source.release(acked)
        }
      },
    ),
  )
})

test('no more is read ahead than is kept: who writes the stream waits', async () => {
  let given = 0
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      given += 1_000
      yield new Uint8Array(1_000)
    }
  }
  const source = new StreamSource(endless(), 10_000)
  expect((await source.body({ start: 0, end: 50_000 })).length).toBe(10_000)
  await source.body({ start: 0, end: 50_000 })
  expect(given).toBe(10_000)
  source.release(4_000)
  expect((await source.body({ start: 4_000, end: 50_000 })).length).toBe(10_000)
  expect(given).toBe(14_000)
})

test('a server that has less than it had acknowledged wants bytes that are gone: stream-passed says so', async () => {
  const source = new StreamSource(inPieces([10, 10]), 100)
  await source.body({ start: 0, end: 20 })
  source.release(12)
  await expect(source.body({ start: 5, end: 20 })).rejects.toMatchObject({
    code: 'stream-passed',
    message: expect.stringContaining('bytes before 12 are no longer kept'),
  })
})

test('a stream that breaks, and one of texts, are told apart from a server’s failure', async () => {
  async function* breaking(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(3)
    throw new Error('the camera was unplugged')
  }
  await expect(new StreamSource(breaking(), 100).body({ start: 0, end: 10 })).rejects.toMatchObject({
    code: 'source-unreadable',
    message: expect.stringContaining('after 3 bytes (the camera was unplugged)'),
  })
  const texts = new StreamSource(Readable.from(['text']), 100)
  await expect(texts.body({ start: 0, end: 10 })).rejects.toMatchObject({
    code: 'bad-source',
    message: 'the stream gives a string, not bytes: give a stream of Uint8Array',
  })
})

test('a stream that is discarded is closed', async () => {
  const stream = Readable.from([new Uint8Array(3), new Uint8Array(3)])
  const source = new StreamSource(stream, 4)
  await source.body({ start: 0, end: 2 })
  await source.discard()
  expect(stream.destroyed).toBe(true)
})
