import { Agent, createServer, request as httpRequest } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import type { Link, ObservedRequest } from '../support/links/index.js'
import { openTestLink } from './tcp-peers.js'

async function openUploadLink(upBytesPerSecond = Number.POSITIVE_INFINITY) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('ok'))
    request.on('error', () => {})
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const link = await openTestLink({ target: { host: '127.0.0.1', port }, upBytesPerSecond })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return { link, agent }
}

type Sending = { method: string; contentType?: string; body?: Buffer; chunked?: boolean }

function send(
  { link, agent }: { link: Link; agent: Agent },
  { method, contentType, body, chunked }: Sending,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const type = contentType === undefined ? {} : { 'content-type': contentType }
    const length = chunked === true || body === undefined ? {} : { 'content-length': body.length }
    const headers = { ...type, ...length }
    const request = httpRequest(`${link.origin}/files/1`, { method, agent, headers }, (response) => {
      let text = ''
      response.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
      response.on('end', () => resolve(text))
    })
    request.on('error', reject)
    if (chunked === true && body !== undefined) request.write(body.subarray(0, 10))
    request.end(chunked === true ? body?.subarray(10) : body)
  })
}

test('requests are counted by method, upload bodies by bytes, over one kept-alive connection', async () => {
  const client = await openUploadLink()
  const seen: ObservedRequest[] = []
  const off = client.link.on('request', (request) => void seen.push(request))
  const offset = 'application/offset+octet-stream'
  await send(client, { method: 'OPTIONS' })
  await send(client, { method: 'POST', contentType: offset, body: Buffer.alloc(1000) })
  await send(client, { method: 'POST', contentType: 'application/json', body: Buffer.alloc(500) })
  await send(client, { method: 'PATCH', contentType: offset, body: Buffer.alloc(70_000) })
  await send(client, { method: 'PATCH', contentType: offset, body: Buffer.alloc(3000), chunked: true })
  off()
  expect(await send(client, { method: 'HEAD' })).toBe('')
  expect(client.link.counters).toMatchObject({
    bodyBytesUp: 74_000,
    requests: { OPTIONS: 1, POST: 2, PATCH: 2, HEAD: 1 },
    connections: 1,
  })
  expect(client.link.counters.upBytes).toBeGreaterThan(74_500)
  expect(seen.map(({ method, path, bodyBytes }) => [method, path, bodyBytes])).toEqual([
    ['OPTIONS', '/files/1', 0],
    ['POST', '/files/1', 1000],
    ['POST', '/files/1', 500],
    ['PATCH', '/files/1', 70_000],
    ['PATCH', '/files/1', 3000],
  ])
})

test('a connection cut in mid-body has counted what left, and no request', async () => {
  const client = await openUploadLink(200_000)
  const sent = send(client, { method: 'PATCH', body: Buffer.alloc(5_000_000) }).catch((error: unknown) => error)
  await new Promise<void>((resolve) => {
    const look = () => (client.link.counters.bodyBytesUp > 20_000 ? resolve() : setImmediate(look))
    look()
  })
  client.link.reset()
  expect(await sent).toBeInstanceOf(Error)
  const { bodyBytesUp, upBytes, requests } = client.link.counters
  expect(requests).toEqual({ PATCH: 1 })
  expect(bodyBytesUp).toBeLessThan(upBytes)
  expect(bodyBytesUp).toBeGreaterThan(upBytes - 500)
})
