import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readLog, replay } from 'upload-predictor'
import { AdaptiveUpload, type AdaptiveUploadOptions, UploadError } from 'uppy-adaptive/upload'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReconcileServers, type TestServers } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'

const MARK = 'marked-7f3a9c'
let servers: TestServers
let directory: string
beforeAll(async () => {
  servers = await startReconcileServers({ count: 2, upBytesPerSecond: 3_000_000 })
  directory = await mkdtemp(join(tmpdir(), 'event-log-'))
})
afterAll(async () => {
  await servers.close()
  await rm(directory, { recursive: true, force: true })
})

/** An upload whose file name, metadata, headers and address hold the mark. */
async function marked(sizeBytes: number): Promise<{ upload: AdaptiveUpload; path: string }> {
  const path = join(directory, `${MARK}.bin`)
  await writeFile(path, Buffer.concat([Buffer.from(MARK), randomBytes(sizeBytes)]))
  const [endpoint = '', ...mirrors] = servers.servers.map((server) => `${server.endpoint}?token=${MARK}`)
  const options: AdaptiveUploadOptions = {
    ...{ ...nodeClient(), endpoint, mirrors },
    metadata: { filename: `${MARK}.bin`, note: MARK },
    headers: { Authorization: `Bearer ${MARK}`, 'X-Note': MARK },
  }
  return { upload: new AdaptiveUpload({ path }, options), path }
}

test('a log of real servers is whole and private: a fresh model says the same, and no secret is in it', async () => {
  const { upload } = await marked(6_000_000)
  const heard: string[] = []
  upload.on('event', (event) => heard.push(JSON.stringify(event)))
  await upload.start()
  const text = upload.toNdjson()
  for (const said of [text, heard.join()]) expect(said).not.toContain(MARK)
  const { report, events } = readLog({ name: 'real', text, sha256: '' })
  expect(report).toMatchObject({ refused: [], missing: 0 })
  const again = replay(events)
  expect(again.left).toBe(0)
  expect(again.assessed).toBeGreaterThan(0)
  for (const [i, event] of events.entries()) {
    const other = again.events[i]
    if (event.type !== 'sample' || other?.type !== 'sample') continue
    for (const [k, { assessment }] of event.sessions.entries()) {
      const { risk = Number.NaN, expectedRemainingMs = Number.NaN } = other.sessions[k]?.assessment ?? {}
      expect(risk).toBeCloseTo(assessment.risk, 3)
      expect((expectedRemainingMs + 1) / (assessment.expectedRemainingMs + 1)).toBeCloseTo(1, 2)
    }
  }
})

test('an upload that fails says nothing private either: not the name of the file that changed', async () => {
  const { upload, path } = await marked(4_000_000)
  const changed = new Promise<void>((resolve, reject) => {
    upload.on('event', (event) => {
      if (event.type === 'session') writeFile(path, 'another').then(resolve, reject)
    })
  })
  const error = await upload.start().catch((reason: unknown) => reason)
  await changed
  expect(error).toBeInstanceOf(UploadError)
  expect((error as UploadError).code).toBe('source-changed')
  expect(upload.toNdjson()).toContain('"code":"source-changed"')
  expect(upload.toNdjson()).not.toContain(MARK)
})
