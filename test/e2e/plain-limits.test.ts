import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DefaultHttpStack, type HttpStack } from 'tus-js-client'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { describe, expect, it } from 'vitest'
import type { Front } from '../support/plain-server.js'
import {
  bodyLength,
  expectStored,
  type Given,
  given,
  MB,
  MIB,
  ofType,
  recorded,
  refuse,
  temporaryDirectory,
} from './plain-world.js'

describe("a plain server's limit on bodies", () => {
  it('that a 413 has shown is kept by the next upload, after a reload too', async () => {
    let refused = 0
    const isTooLarge = (request: Parameters<Front>[0]) => bodyLength(request) > 700_000 && ++refused > 0
    const server = await given({ front: refuse(413, isTooLarge) })
    const memory = join(await temporaryDirectory(), 'memory.json')
    const options = { ...server.options, predictor: { memory } }
    for (let upload = 0; upload < 2; upload++) {
      const data = randomBytes(2 * MB)
      const { url } = await new AdaptiveUpload(data, options).start()
      await expectStored(server, url, data)
    }
    // 2 MB, 1 MiB: the first upload's
    expect(refused).toBe(2)
  })

  it('is kept from the first body on where the server announces it, the least size too', async () => {
    const limit = { 'Upload-Limit': 'max-append-size=600000, min-append-size=500000' }
    const server = await given({
      front: (request, response, pass) => {
        if (request.method === 'OPTIONS')
          for (const [name, value] of Object.entries(limit)) response.setHeader(name, value)
        if (bodyLength(request) > 600_000) request.resume().on('end', () => response.writeHead(413).end())
        else pass()
      },
    })
    const data = randomBytes(2 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    const sizes = ofType(events, 'session').map(({ start, end }) => end - start)
    expect(ofType(events, 'shrunk')).toEqual([])
    for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThanOrEqual(500_000)
  })

  it('is the end where the host asks for the size that it then refuses', async () => {
    const host = 'x.supabase.co'
    const server = await given({ front: refuse(413, (request) => request.method === 'PATCH') })
    const options = { endpoint: `https://${host}/files`, httpStack: stackTo(host, server) }
    const upload = new AdaptiveUpload(randomBytes(8 * MB), options)
    await expect(upload.start()).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining(`${6 * MIB} bytes at once: raise its limit`),
    })
  })
})

/** By what rule a hosted service refuses a PATCH: `isLast` those of the file's last bytes. */
type Rule = (bytes: number, isLast: boolean) => boolean

const HOSTED: readonly [name: string, host: string, path: string, takes: Rule][] = [
  ['Supabase Storage', 'x.supabase.co', '/files', (bytes, isLast) => bytes === 6 * MIB || (isLast && bytes < 6 * MIB)],
  [
    'Cloudflare Stream',
    'upload.cloudflarestream.com',
    '/files',
    (bytes, isLast) => bytes <= 200 * MIB && (isLast || (bytes >= 5 * MIB && bytes % (256 * 1024) === 0)),
  ],
]

/** To that host by the server at hand. */
function stackTo(host: string, { endpoint, options }: Given): HttpStack {
  const stack = options.httpStack ?? new DefaultHttpStack({})
  return {
    getName: () => 'to a host',
    createRequest: (method, url) => {
      const request = stack.createRequest(method, url.replace(`https://${host}`, new URL(endpoint).origin))
      request.setHeader('X-Forwarded-Host', host)
      request.setHeader('X-Forwarded-Proto', 'https')
      return request
    },
  }
}

describe.each(HOSTED)('%s', (_name, host, path, takes) => {
  it('gets no PATCH that it refuses, of a file or of a stream', async () => {
    const size = 14 * MB
    let refused = 0
    const server = await given({
      front: (request, response, pass) => {
        if (request.method !== 'PATCH') return pass()
        const bytes = bodyLength(request)
        const isLast = Number(request.headers['upload-offset']) + bytes === size
        if (takes(bytes, isLast)) return pass()
        refused += 1
        request.resume().on('end', () => response.writeHead(400, { 'Tus-Resumable': '1.0.0' }).end('chunk size'))
      },
    })
    const options = { endpoint: `https://${host}${path}`, httpStack: stackTo(host, server) }
    const data = randomBytes(size)
    for (const source of [data, streamOf(data)]) {
      const { url } = await new AdaptiveUpload(source, options).start()
      await expectStored(server, url, data)
    }
    expect(refused).toBe(0)
  })
})

async function* streamOf(data: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += 100_000) yield data.subarray(at, at + 100_000)
}
