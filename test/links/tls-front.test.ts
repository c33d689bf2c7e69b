import { once } from 'node:events'
import { ClientRequest, createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import type { Readable, Writable } from 'node:stream'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Certificate, makeCertificate } from '../support/certificate.js'
import type { Link, LinkOptions, ObservedRequest } from '../support/links/index.js'
import {
  initialWindow,
  openExchange,
  type Protocol,
  type TlsAnswer,
  type TlsExchange,
  type TlsOrigin,
  type TlsRequest,
} from '../support/tls-exchange.js'
import { openTestLink } from './tcp-peers.js'

let certificate: Certificate

beforeAll(async () => {
  certificate = await makeCertificate()
})

interface Front extends TlsOrigin {
  readonly link: Link
}

/** A server behind a link that ends TLS. */
async function openFront(answer: RequestListener, options: Partial<LinkOptions> = {}): Promise<Front> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.closeAllConnections())
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const link = await openTestLink({ target: { host: '127.0.0.1', port }, tls: certificate, ...options })
  return { link, port: link.port, certificate: certificate.certificate }
}

function post(protocol: Protocol, front: Front, more: Partial<TlsRequest> = {}): TlsExchange {
  const exchange = openExchange(protocol, front, { method: 'POST', path: '/files', headers: {}, ...more })
  exchange.body.on('error', () => {})
  onTestFinished(() => exchange.destroy())
  return exchange
}

function openSession(front: Front): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${front.port}`, { ca: front.certificate })
  session.on('error', () => {})
  onTestFinished(() => session.destroy())
  return session
}

/** The next piece of an answer's body. */
async function nextPiece({ body }: TlsAnswer): Promise<string> {
  const [piece] = await once(body, 'data')
  return String(piece)
}

/** A body to its end. (An iterator would call it cut where the stream closes while the request still goes on.) */
function textOf(body: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    body.on('data', (piece) => {
      said += piece
    })
    body.on('end', () => resolve(said))
    body.on('error', reject)
  })
}

/** Sends without end, as fast as the path takes it. */
function flood(body: Writable): void {
  const fill = () => {
    while (body.writable && body.write(Buffer.alloc(65_536))) {
      // until the path takes no more
    }
  }
  body.on('drain', fill)
  fill()
}

/** Refuses at once, and reads on so that the refusal is not lost in a reset. */
const refuseEarly: RequestListener = (request, response) => {
  request.resume()
  request.on('error', () => {})
  response.writeHead(409, { 'Content-Length': 7 })
  response.end('refused')
}

/** How a request's body ended, as the server sees it. */
function endOf(request: IncomingMessage): Promise<'whole' | 'broken'> {
  return new Promise((resolve) => {
    request.on('error', () => resolve('broken'))
    request.on('close', () => resolve(request.complete ? 'whole' : 'broken'))
    request.resume()
  })
}

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])('TLS ends behind the link, %s', (protocol) => {
  test('bodies stream both ways: each piece is answered before the next one is sent', async () => {
    const front = await openFront((request, response) => {
      response.flushHeaders()
      request.pipe(response)
    })
    const exchange = post(protocol, front)
    if (exchange.body instanceof ClientRequest) exchange.body.flushHeaders()
    const answer = await exchange.answer
    for (const piece of ['one', 'two', 'three']) {
      exchange.body.write(piece)
      expect(await nextPiece(answer)).toBe(piece)
    }
    exchange.body.end()
    expect(await textOf(answer.body)).toBe('')
  })

  test('trailers pass both ways', async () => {
    const seen: unknown[] = []
    const front = await openFront((request, response) => {
      request.resume().on('end', () => {
        seen.push(request.headers['content-type'])
        response.writeHead(200, { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' })
        response.addTrailers({ 'X-Sum': 'abc' })
        response.end('body')
      })
    })
    const exchange = post(protocol, front, { headers: { 'content-type': 'text/plain' } })
    const trailers = new Promise((resolve) => {
      exchange.body.on('trailers', resolve)
      exchange.answer.then(({ body }) => body.on('end', () => 'trailers' in body && resolve(body.trailers)))
    })
    exchange.body.end('up')
    expect(await textOf((await exchange.answer).body)).toBe('body')
    expect(await trailers).toMatchObject({ 'x-sum': 'abc' })
    expect(seen).toEqual(['text/plain'])
  })

  test('a body that a client breaks off is broken off at the server, and never whole', async () => {
    const ends: Promise<string>[] = []
    const front = await openFront((request, response) => {
      ends.push(endOf(request))
      response.flushHeaders()
      request.once('data', () => response.write('here'))
    })
    const exchange = post(protocol, front)
    exchange.body.write('some')
    expect(await nextPiece(await exchange.answer)).toBe('here')
    exchange.destroy()
    await expect.poll(() => Promise.all(ends)).toEqual(['broken'])
  })

  test('an answer that the server breaks off is broken off at the client, and never whole', async () => {
    const front = await openFront((_request, response) => {
      response.write('half', () => response.destroy())
    })
    const exchange = post(protocol, front)
    exchange.body.end()
    const answer = await exchange.answer
    await expect(textOf(answer.body)).rejects.toThrow()
  })

  test('an early answer comes whole while the body is still being sent', async () => {
    const front = await openFront(refuseEarly)
    for (let round = 0; round < 5; round += 1) {
      const exchange = post(protocol, front)
      flood(exchange.body)
      const answer = await exchange.answer
      expect([answer.status, await textOf(answer.body)]).toEqual([409, 'refused'])
      exchange.destroy()
    }
  })

  test('a server that is away is answered for with 502', async () => {
    const front = await openFront((request) => request.socket.resetAndDestroy())
    const exchange = post(protocol, front)
    exchange.body.end('x')
    expect((await exchange.answer).status).toBe(502)
  })

  test('the server is told of https, the host and the client, whatever the client says of itself', async () => {
    const front = await openFront((request, response) => response.end(JSON.stringify(request.headers)))
    const headers = { Forwarded: 'host=evil.example', 'X-Forwarded-Host': 'evil.example', 'X-Own': 'yes' }
    const exchange = post(protocol, front, { method: 'GET', headers, hasBody: false })
    exchange.body.end()
    const told = JSON.parse(await textOf((await exchange.answer).body))
    expect(told).toMatchObject({ host: `127.0.0.1:${front.port}`, 'x-forwarded-proto': 'https', 'x-own': 'yes' })
    expect(JSON.stringify(told)).not.toContain('evil')
    expect(told).not.toHaveProperty('transfer-encoding')
  })

  test('the link counts requests and upload bodies behind its TLS', async () => {
    const front = await openFront((request, response) => void request.resume().on('end', () => response.end('ok')))
    const seen: ObservedRequest[] = []
    front.link.on('request', (request) => void seen.push(request))
    const headers = { 'content-type': 'application/offset+octet-stream' }
    const exchange = post(protocol, front, { headers })
    exchange.body.end(Buffer.alloc(100_000))
    await textOf((await exchange.answer).body)
    const isHttp2 = protocol === 'HTTP/2'
    const [http2Connections, http2Requests, http2BodyBytesUp] = isHttp2 ? [1, 1, 100_000] : [0, 0, 0]
    expect(front.link.counters).toMatchObject({ bodyBytesUp: 100_000, requests: { POST: 1 } })
    expect(front.link.counters).toMatchObject({ http2Connections, http2Requests, http2BodyBytesUp })
    expect(seen).toMatchObject([{ method: 'POST', path: '/files', isHttp2, bodyBytes: 100_000 }])
    expect(front.link.counters.upBytes).toBeGreaterThan(100_000)
  })
})

describe('HTTP/2 behind the link', () => {
  test('a stream begins with the window of nginx, or the one that is asked for', async () => {
    expect(await initialWindow(await openFront(() => {}))).toBe(65_536)
    const wide = { ...certificate, streamWindowBytes: 1_048_576 }
    expect(await initialWindow(await openFront(() => {}, { tls: wide }))).toBe(1_048_576)
  })

  test('a stream moves one window a round trip at most, however fast the link is', async () => {
    const front = await openFront((request, response) => void request.resume().on('end', () => response.end('ok')), {
      delayMs: 20,
    })
    const session = openSession(front)
    await once(session, 'remoteSettings')
    const fromMs = performance.now()
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.end(Buffer.alloc(8 * 65_536))
    expect(await textOf(stream)).toBe('ok')
    // the first window needs no leave
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual(7 * 40)
  })

  test('a stream that its server does not read holds back no other stream of the connection', async () => {
    let isReading = false
    const front = await openFront((request, response) => {
      if (request.url === '/silent' && !isReading) return void request.pause()
      request.resume().on('end', () => response.end('read'))
    })
    const session = openSession(front)
    const silent = session.request({ ':method': 'POST', ':path': '/silent' })
    silent.on('error', () => {})
    flood(silent)
    const other = session.request({ ':method': 'POST', ':path': '/' })
    other.end(Buffer.alloc(200_000))
    expect(await textOf(other)).toBe('read')
    isReading = true
  })

  test('a stream that is reset is broken off at the server, and its connection lives on', async () => {
    const ends: Promise<string>[] = []
    const front = await openFront((request, response) => {
      if (request.method === 'GET') return void response.end('alive')
      ends.push(endOf(request))
      response.flushHeaders()
    })
    const session = openSession(front)
    // with a length: Node's client says that the body is over before it says that it is not
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-length': 1000 })
    stream.on('error', () => {})
    stream.write('some')
    await once(stream, 'response')
    stream.close(constants.NGHTTP2_CANCEL)
    await expect.poll(() => Promise.all(ends)).toEqual(['broken'])
    expect(await textOf(session.request({ ':path': '/' }))).toBe('alive')
    expect(front.link.counters.connections).toBe(1)
  })

  test('an early answer ends its stream without an error, and its connection lives on', async () => {
    const front = await openFront(refuseEarly)
    const session = openSession(front)
    for (let round = 0; round < 3; round += 1) {
      const stream = session.request({ ':method': 'POST', ':path': '/' })
      stream.on('error', () => {})
      flood(stream)
      expect(await textOf(stream)).toBe('refused')
      await expect.poll(() => stream.closed).toBe(true)
      expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
    }
    expect(front.link.counters.connections).toBe(1)
  })

  test('a proxy that is reloaded says GOAWAY: what runs goes on, and a new request needs a new connection', async () => {
    const front = await openFront((request, response) => {
      response.flushHeaders()
      request.pipe(response)
    })
    const session = openSession(front)
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    await once(stream, 'response')
    const goodbye = once(session, 'goaway')
    front.link.drain()
    expect((await goodbye)[0]).toBe(constants.NGHTTP2_NO_ERROR)
    stream.end('to the end')
    expect(await textOf(stream)).toBe('to the end')
    await expect.poll(() => session.destroyed).toBe(true)
    expect(await textOf(openSession(front).request({ ':path': '/' }))).toBe('')
    expect(front.link.counters.connections).toBe(2)
  })
})
