import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { describe, expect, it } from 'vitest'
import { buffering } from '../support/plain-server.js'
import { wireProtocol } from '../support/wire-protocol.js'
import {
  bodyLength,
  expectStored,
  given,
  hasSent,
  MB,
  MIB,
  ofType,
  once,
  recorded,
  refuse,
  temporaryDirectory,
} from './plain-world.js'

describe('a plain tus server', () => {
  it('gets one PATCH with the whole file, and progress that never goes back and ends at the size', async () => {
    const server = await given({ upBytesPerSecond: 8 * MB })
    const data = randomBytes(6 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(server.asked).toEqual(['OPTIONS', 'POST', 'PATCH'])
    expect(ofType(events, 'session')).toMatchObject([{ start: 0, end: 6 * MB, reason: 'rest' }])
    const progress = ofType(events, 'progress').map((event) => event.ackedBytes)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(6 * MB)
  })

  it("gets PATCHes of the application's chunkSize", async () => {
    const server = await given()
    const data = randomBytes(5 * MB)
    const { url } = await new AdaptiveUpload(data, { ...server.options, chunkSize: 2 * MB }).start()
    await expectStored(server, url, data)
    expect(server.asked.filter((method) => method === 'PATCH')).toHaveLength(3)
  })

  it.runIf(wireProtocol === 'h1')('is spoken to by a fresh connection when the old one falls silent', async () => {
    const server = await given({ upBytesPerSecond: 2 * MB })
    const data = randomBytes(16 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    once(upload, hasSent(10 * MB), () => server.link.stallConnections())
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'reconnect')).toMatchObject([{ remedy: 'freshConnection' }])
    // what it had acknowledged is not sent again
    expect(ofType(events, 'session')[1]?.start).toBeGreaterThan(0)
  })

  it.runIf(wireProtocol === 'h2')('is spoken to again as soon as a dead shared connection is let go', async () => {
    const server = await given({ upBytesPerSecond: 2 * MB })
    const data = randomBytes(12 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    once(upload, hasSent(8 * MB), () => server.link.stallConnections())
    // whoever keeps one connection asks over it, too
    once(
      upload,
      ({ type }) => type === 'probeLost',
      () => server.link.reset(),
    )
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'session').at(-1)?.start).toBeGreaterThan(0)
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
  })

  it('is waited for while it is away, and goes on where it stopped', async () => {
    const server = await given({ upBytesPerSecond: 4 * MB })
    const data = randomBytes(12 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    once(upload, hasSent(6 * MB), () => server.link.refuse())
    let lost = 0
    upload.on('event', (event) => {
      if (event.type !== 'probeLost') return
      lost += 1
      if (lost === 4) server.link.restore()
    })
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'waiting').length).toBeGreaterThan(0)
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
  })

  it('is given up after giveUpAfter', async () => {
    const server = await given({ upBytesPerSecond: 4 * MB })
    const upload = new AdaptiveUpload(randomBytes(8 * MB), { ...server.options, giveUpAfter: 1 })
    once(upload, hasSent(6 * MB), () => server.link.refuse())
    await expect(upload.start()).rejects.toMatchObject({ code: 'gave-up', message: expect.stringContaining('1 s') })
  })

  it('gets smaller PATCHes after a 413, and none as large again', async () => {
    const server = await given({ front: refuse(413, (request) => bodyLength(request) > MIB) })
    const data = randomBytes(3 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'shrunk')).toMatchObject([{ maxBodyBytes: MIB }])
    expect(ofType(events, 'session').filter((event) => event.end - event.start > MIB)).toHaveLength(1)
  })

  it('gets smaller PATCHes when larger ones break off twice at the same byte without an answer', async () => {
    const server = await given({
      front: (request, _response, pass) => {
        if (bodyLength(request) > MIB) request.once('data', () => request.socket.destroy())
        else pass()
      },
    })
    const data = randomBytes(3 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'session').filter((event) => event.end - event.start > MIB)).toHaveLength(2)
    expect(ofType(events, 'shrunk')).toHaveLength(1)
  })

  it('gets smaller PATCHes when nothing is kept of one that breaks off', async () => {
    const server = await given({ upBytesPerSecond: 4 * MB, front: buffering })
    const data = randomBytes(12 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    once(upload, hasSent(8 * MB), () => server.link.reset())
    const { url } = await upload.start()
    await expectStored(server, url, data)
    const sizes = ofType(events, 'session').map((event) => event.end - event.start)
    expect(sizes[0]).toBe(12 * MB)
    expect(sizes[1]).toBeLessThanOrEqual(6 * MB)
  })

  it('is left alone for as long as its Retry-After says', async () => {
    let refusals = 0
    const isFirstPatch = (request: IncomingMessage) => request.method === 'PATCH' && refusals++ === 0
    const server = await given({ front: refuse(503, isFirstPatch, { 'Retry-After': '2' }) })
    const data = randomBytes(MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'waiting')).toMatchObject([{ cause: '503', delayMs: 2_000 }])
  })

  it('is waited for while it says that the upload is locked', async () => {
    let locked = 0
    const isLocked = (request: IncomingMessage) => request.method === 'PATCH' && locked++ < 3
    const server = await given({ front: refuse(423, isLocked) })
    const data = randomBytes(MB)
    const { url } = await new AdaptiveUpload(data, server.options).start()
    await expectStored(server, url, data)
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
  })

  it('has the upload begun anew, with a warning, when it no longer knows it', async () => {
    let heads = 0
    const server = await given({
      upBytesPerSecond: 4 * MB,
      front: refuse(404, (request) => request.method === 'HEAD' && heads++ === 0, { 'Tus-Resumable': '1.0.0' }),
    })
    const data = randomBytes(8 * MB)
    const upload = new AdaptiveUpload(data, server.options)
    const events = recorded(upload)
    once(upload, hasSent(6 * MB), () => server.link.reset())
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'warning')).toMatchObject([{ code: 'begun-anew' }])
    const progress = ofType(events, 'progress').map((event) => event.ackedBytes)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
  })

  it('gets fresh headers for each request, and once more after a 401', async () => {
    let valid = 'token-1'
    const isStale = (request: IncomingMessage) =>
      request.method !== 'OPTIONS' && request.headers.authorization !== valid
    const server = await given({ front: refuse(401, isStale) })
    const data = randomBytes(4 * MB)
    let token = 'token-1'
    const upload = new AdaptiveUpload(data, {
      ...server.options,
      chunkSize: MB,
      headers: async () => {
        const now = token
        token = valid
        return { authorization: now }
      },
    })
    once(upload, hasSent(2 * MB), () => {
      valid = 'token-2'
    })
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
  })

  it('ends the upload with a 401 that other headers cannot cure, and creates no second one', async () => {
    const server = await given({ front: refuse(401, (request) => request.method === 'PATCH') })
    const upload = new AdaptiveUpload(randomBytes(MB), server.options)
    await expect(upload.start()).rejects.toMatchObject({ code: 'refused', status: 401 })
    expect(server.asked).toEqual(['OPTIONS', 'POST', 'PATCH'])
  })

  it('goes on after a pause and after a reload with what it has, by a journal without headers', async () => {
    const server = await given({ upBytesPerSecond: 4 * MB })
    const directory = await temporaryDirectory()
    const path = join(directory, 'source.bin')
    const data = randomBytes(12 * MB)
    await writeFile(path, data)
    const journal = join(directory, 'journal.json')
    const options = { ...server.options, journal, headers: { 'x-secret': 'hush' } }
    const first = new AdaptiveUpload({ path }, options)
    const stop = new AbortController()
    once(first, hasSent(4 * MB), () => void first.pause().then(() => first.resume()))
    once(first, hasSent(8 * MB), () => stop.abort())
    await expect(first.start({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
    const text = await readFile(journal, 'utf8')
    expect(text).not.toContain('hush')
    const second = new AdaptiveUpload({ path }, options)
    const events = recorded(second)
    const { url } = await second.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'session')[0]?.start).toBeGreaterThan(0)
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
    expect(await readdir(directory)).toEqual(['source.bin'])
  })

  it('is left with nothing by a cancel in a new process after a crash', async () => {
    const server = await given({ upBytesPerSecond: 4 * MB })
    const directory = await temporaryDirectory()
    const path = join(directory, 'source.bin')
    await writeFile(path, randomBytes(8 * MB))
    const options = { ...server.options, journal: join(directory, 'journal.json') }
    const first = new AdaptiveUpload({ path }, options)
    const stop = new AbortController()
    once(first, hasSent(2 * MB), () => stop.abort())
    await expect(first.start({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
    await new AdaptiveUpload({ path }, options).cancel()
    expect(server.asked.filter((method) => method === 'DELETE')).not.toEqual([])
    expect(await readdir(server.directory)).toEqual([])
    expect(await readdir(directory)).toEqual(['source.bin'])
  })
})
