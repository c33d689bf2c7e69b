import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { describe, expect, it } from 'vitest'
import { type Front, sendBehind } from '../support/plain-server.js'
import { expectStored, given, hasSent, MB, ofType, once, recorded, refuse, temporaryDirectory } from './plain-world.js'

async function removeAll(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await rm(join(directory, name))
}

describe('a plain server whose upload is not what it was thought to be', () => {
  it('is gone on with at its own offset after a 409, and gets no byte at another place', async () => {
    const data = randomBytes(4 * MB)
    const later = (request: Parameters<Front>[0]) => Number(request.headers['upload-offset'] ?? 0) === 2 * MB
    let others = 0
    const server = await given({
      // another request of the same upload, such as one that was late, comes before ours
      front: (request, _response, pass) => {
        if (!later(request) || others++ > 0) return pass()
        const headers = {
          'Tus-Resumable': '1.0.0',
          'Upload-Offset': `${2 * MB}`,
          'Content-Type': 'application/offset+octet-stream',
        }
        const body = data.subarray(2 * MB, 2 * MB + 300_001)
        void sendBehind(request, { method: 'PATCH', headers, body }).then(pass)
      },
    })
    const upload = new AdaptiveUpload(data, { ...server.options, chunkSize: 2 * MB })
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'session').map(({ start }) => start)).toEqual([0, 2 * MB, 2 * MB + 300_001])
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
  })

  it('gets the file anew from its start where it has lost the upload in the middle of it', async () => {
    const data = randomBytes(6 * MB)
    const directories: string[] = []
    let lost = 0
    const server = await given({
      front: (request, _response, pass) => {
        if (Number(request.headers['upload-offset']) !== 3 * MB || lost++ > 0) return pass()
        void Promise.all(directories.map(removeAll)).then(pass)
      },
    })
    directories.push(server.directory)
    const upload = new AdaptiveUpload(data, { ...server.options, chunkSize: MB })
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'warning')).toMatchObject([{ code: 'begun-anew' }])
    const starts = ofType(events, 'session').map(({ start }) => start)
    expect(starts.filter((start) => start === 0)).toHaveLength(2)
  })

  it('is not believed to have lost the upload where somebody else says so', async () => {
    let strangers = 0
    const isMidway = (request: Parameters<Front>[0]) => Number(request.headers['upload-offset'] ?? 0) >= 2 * MB
    const server = await given({
      // as a captive portal: every status but without the words of a tus server
      front: refuse(404, (request) => isMidway(request) && strangers++ < 2, { 'Content-Type': 'text/html' }),
    })
    const data = randomBytes(4 * MB)
    const upload = new AdaptiveUpload(data, { ...server.options, chunkSize: MB })
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'cut').map(({ cause }) => cause)).toEqual([
      expect.stringContaining('without Tus-Resumable'),
      expect.stringContaining('without Tus-Resumable'),
    ])
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
  })

  it("keeps another file's upload as it is, where the journal leads to it", async () => {
    const server = await given({ upBytesPerSecond: 8 * MB })
    const directory = await temporaryDirectory()
    const [mine, others] = [join(directory, 'mine.bin'), join(directory, 'others.bin')]
    const [data, othersData] = [randomBytes(3 * MB), randomBytes(5 * MB)]
    await writeFile(mine, data)
    await writeFile(others, othersData)
    const stopped = async (path: string, journal: string) => {
      const upload = new AdaptiveUpload({ path }, { ...server.options, journal, chunkSize: MB })
      const stop = new AbortController()
      once(upload, hasSent(2 * MB), () => stop.abort())
      await expect(upload.start({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
      return /"url\\*":\\*"([^"\\]+)/.exec(await readFile(journal, 'utf8'))?.[1] ?? ''
    }
    const journal = join(directory, 'mine.json')
    const ours = await stopped(mine, journal)
    const theirs = await stopped(others, join(directory, 'others.json'))
    await writeFile(journal, (await readFile(journal, 'utf8')).replace(ours, theirs))

    const upload = new AdaptiveUpload({ path: mine }, { ...server.options, journal })
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(ofType(events, 'warning')).toMatchObject([
      { code: 'begun-anew', message: expect.stringContaining(`of ${5 * MB} bytes there, the file of ${3 * MB}`) },
    ])
    expect(url).not.toBe(theirs)
    // whatever was still on its way when theirs was stopped
    const kept = await readFile(join(server.directory, theirs.slice(theirs.lastIndexOf('/') + 1)))
    expect(kept.equals(othersData.subarray(0, kept.length))).toBe(true)
  })

  it('is understood as tusd answers: locks, ended and late requests, and a 409 that closes the connection', async () => {
    const data = randomBytes(5 * MB)
    const say = (status: number, text: string) => [status, text] as const
    const PATCHES = [
      say(400, 'ERR_UPLOAD_INTERRUPTED: upload has been interrupted by another request for this upload resource'),
      say(423, 'ERR_UPLOAD_LOCKED: file currently locked'),
      say(500, 'ERR_READ_TIMEOUT: timeout while reading request body'),
      say(409, 'ERR_MISMATCHED_OFFSET: mismatched offset'),
      say(503, 'ERR_SERVER_SHUTDOWN: request has been interrupted because the server is shutting down'),
    ]
    const HEADS = [say(423, ''), say(500, '')]
    const answered: number[] = []
    const server = await given({
      front: (request, response, pass) => {
        const answer = request.method === 'HEAD' ? HEADS.shift() : isLater(request) ? PATCHES.shift() : undefined
        if (!answer) return pass()
        const [status, text] = answer
        answered.push(status)
        response.writeHead(status, { 'Tus-Resumable': '1.0.0', 'X-Content-Type-Options': 'nosniff' })
        // of a 409 it reads no byte more
        if (status === 409) response.end(`${text}\n`, () => request.socket.destroy())
        else request.resume().on('end', () => response.end(`${text}\n`))
      },
    })
    const isLater = (request: Parameters<Front>[0]) => Number(request.headers['upload-offset'] ?? 0) >= MB
    const upload = new AdaptiveUpload(data, { ...server.options, chunkSize: MB })
    const events = recorded(upload)
    const { url } = await upload.start()
    await expectStored(server, url, data)
    expect(answered.toSorted()).toEqual([400, 409, 423, 423, 500, 500, 503])
    expect(server.asked.filter((method) => method === 'POST')).toHaveLength(1)
    expect(ofType(events, 'warning')).toEqual([])
  })

  it('ends the upload with what it says where it takes no file so large, or wants no more of it', async () => {
    const tooLarge = await given({
      front: refuse(413, (request) => request.method === 'POST', { 'Tus-Resumable': '1.0.0' }),
    })
    await expect(new AdaptiveUpload(randomBytes(MB), tooLarge.options).start()).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining(`${MB} bytes (413): raise its limit`),
    })
    const stopped = await given({
      front: refuse(400, (request) => request.method === 'PATCH', { 'Tus-Resumable': '1.0.0' }),
    })
    await expect(new AdaptiveUpload(randomBytes(MB), stopped.options).start()).rejects.toMatchObject({
      code: 'refused',
    })
  })
})
