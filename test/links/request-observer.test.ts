import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ObservedRequest, RequestObserver } from '../support/links/index.js'

type Sent = { method: string; path: string; contentType: string; body: Uint8Array; chunkBytes: number | undefined }

const anyRequest: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'OPTIONS', 'DELETE'),
  path: fc.constantFrom('/files', '/files/1?x=y', '*'),
  contentType: fc.constantFrom('', 'application/offset+octet-stream', 'application/json'),
  // bytes that look like the grammar are the interesting ones
  body: fc.array(fc.constantFrom(0, 10, 13, 48, 65, 255), { maxLength: 200 }).map((bytes) => Uint8Array.from(bytes)),
  chunkBytes: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
})

function format({ method, path, contentType, body, chunkBytes }: Sent): Buffer {
  const type = contentType === '' ? '' : `Content-Type: ${contentType}\r\n`
  const length = body.length === 0 ? '' : `content-length:${body.length}\r\n`
  const framing = chunkBytes === undefined ? length : 'Transfer-Encoding: chunked\r\n'
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${type}${framing}\r\n`)
  return Buffer.concat([head, ...(chunkBytes === undefined ? [body] : formatChunks(body, chunkBytes))])
}

function formatChunks(body: Uint8Array, chunkBytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < body.length; at += chunkBytes) {
    const chunk = body.subarray(at, at + chunkBytes)
    pieces.push(Buffer.from(`${chunk.length.toString(16)};ext=1\r\n`), chunk, Buffer.from('\r\n'))
  }
  return [...pieces, Buffer.from('0\r\nTrailer: yes\r\n\r\n')]
}

/** Pushes the bytes cut at the given places. */
function observe(
  bytes: Uint8Array,
  cuts: number[] = [],
): { requests: ObservedRequest[]; heads: number; observer: RequestObserver } {
  const requests: ObservedRequest[] = []
  let heads = 0
  const observer = new RequestObserver({
    onHead: () => {
      heads += 1
    },
    onRequest: (request) => void requests.push(request),
  })
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
  places.forEach((from, index) => {
    observer.push(bytes.subarray(from, places[index + 1] ?? bytes.length))
  })
  return { requests, heads, observer }
}

test('requests are seen as they were sent, however their bytes are split', () => {
  fc.assert(
    fc.property(fc.array(anyRequest, { maxLength: 6 }), fc.array(fc.nat(1500), { maxLength: 60 }), (sent, cuts) => {
      const { requests, observer } = observe(Buffer.concat(sent.map(format)), cuts)
      const expected = sent.map(({ method, path, contentType, body }) => ({
        method,
        path,
        contentType,
        isHttp2: false,
        bodyBytes: body.length,
      }))
      expect(requests).toEqual(expected)
      expect(observer.isOpaque).toBe(false)
    }),
  )
})

test('a connection cut anywhere has counted exactly the body bytes that came', () => {
  fc.assert(
    fc.property(anyRequest, fc.nat(500), (sent, cutAt) => {
      let bodyBytes = 0
      const observer = new RequestObserver({
        onBody: (_, bytes) => {
          bodyBytes += bytes
        },
      })
      const bytes = format(sent)
      observer.push(bytes.subarray(0, cutAt))
      const headBytes = bytes.indexOf('\r\n\r\n') + 4
      const whole = Math.min(Math.max(0, cutAt - headBytes), sent.body.length)
      if (sent.chunkBytes === undefined) expect(bodyBytes).toBe(whole)
      else expect(bodyBytes).toBeLessThanOrEqual(whole)
      observer.push(bytes.subarray(cutAt))
      expect(bodyBytes).toBe(sent.body.length)
    }),
  )
})

test('garbage never throws, and ends the counting', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300)), (garbage, cuts) => {
      observe(garbage, cuts)
      const request = Buffer.from('PATCH /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc')
      const { requests } = observe(
        Buffer.concat([request, Buffer.from('\x16\x03\x01 '), garbage, Buffer.from('\n'), request]),
        cuts,
      )
      expect(requests).toHaveLength(1)
    }),
  )
})

test.each([
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\n'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n'],
  ['a field without a name', 'GET / HTTP/1.1\r\n: x\r\n\r\n'],
  ['a length that is none', 'POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n'],
  ['a chunk size that is none', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
  ['a chunk longer than it says', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n'],
  ['an unknown coding', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n'],
  ['an upgrade', 'GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\n\r\n'],
  ['a head without end', `GET /${'x'.repeat(70_000)}`],
])('%s makes a connection opaque', (_, text) => {
  expect(observe(Buffer.from(text, 'latin1')).observer.isOpaque).toBe(true)
})

test('empty lines before a request are skipped', () => {
  expect(observe(Buffer.from('\r\n\r\nGET / HTTP/1.1\r\n\r\n')).requests).toHaveLength(1)
})

test('a head is reported when it is complete, before its body', () => {
  const { heads, requests } = observe(Buffer.from('PATCH / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc'))
  expect([heads, requests.length]).toEqual([1, 0])
})
