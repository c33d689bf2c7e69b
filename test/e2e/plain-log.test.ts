import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evaluate, explainRun, readLog, replay, runsOf } from 'upload-predictor'
import { AdaptiveUpload, type AdaptiveUploadOptions } from 'uppy-adaptive/upload'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PlainServer, startPlainServer } from '../support/plain-server.js'
import { createNodeClient } from '../support/wire-protocol.js'

const MB = 1_000_000
let directory: string
let server: PlainServer
let options: AdaptiveUploadOptions
const client = createNodeClient()
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'plain-log-'))
  server = await startPlainServer({ directory, upBytesPerSecond: 4 * MB })
  options = { ...client.options, endpoint: server.endpoint, chunkSize: 2 * MB }
})
afterAll(async () => {
  await server.close()
  client.close()
  await rm(directory, { recursive: true, force: true })
})

test("the log of a plain server's upload is whole, and is explained, judged and replayed like the others", async () => {
  const upload = new AdaptiveUpload(randomBytes(6 * MB), options)
  await upload.start()
  const log = readLog({ name: 'plain', text: upload.toNdjson(), sha256: '' })
  expect(log.report).toMatchObject({ refused: [], missing: 0 })
  const [run] = runsOf([log])
  expect(run).toMatchObject({ isPlain: true, sizeBytes: 6 * MB, end: 'uploaded' })
  const sessions = [...(run?.sessions.values() ?? [])]
  expect(sessions.map(({ start, end, ending }) => [start, end, ending])).toEqual([
    [0, 2 * MB, 'completed'],
    [2 * MB, 4 * MB, 'completed'],
    [4 * MB, 6 * MB, 'completed'],
  ])
  // what buffers took is no pace of ours, and every byte was acknowledged in the end
  for (const session of sessions)
    expect([session.isLimitedByUs, session.acks.at(-1)?.offset]).toEqual([false, session.end])
  const { summary, decisions } = explainRun(run as NonNullable<typeof run>)
  expect(summary).toMatch(/^of 5\.7 MiB, 3 sessions at 1 servers, complete after \d/)
  expect(decisions).toEqual([])
  const { left, assessed } = replay(log.events)
  expect(left).toBe(0)
  const all = evaluate([run as NonNullable<typeof run>]).metrics.at(-1)
  const told = (all?.count ?? 0) + (all?.untold ?? 0) + (all?.unplanned ?? 0)
  expect(told).toBeGreaterThan(0)
  expect(assessed).toBeGreaterThanOrEqual(told)
})
