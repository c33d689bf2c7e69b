import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdaptiveUpload, type LoggedEvent } from 'uppy-adaptive/upload'
import { describe, expect, it } from 'vitest'
import { startPlainServer } from '../support/plain-server.js'
import { startReconcileServers } from '../support/reconcile-servers.js'
import { createNodeClient } from '../support/wire-protocol.js'

/** Three kilobytes a second, over a path of half a second. */
const PATH = { upBytesPerSecond: 3_000, delayMs: 250 }
/** Forty seconds of it: longer than any silence that ends a request. */
const SIZE = 120_000

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Uploads to a server alone, and what the log says of it. */
async function upload(endpoint: string): Promise<{ data: Uint8Array; id: string; events: LoggedEvent[] }> {
  const data = randomBytes(SIZE)
  const client = createNodeClient()
  const next = new AdaptiveUpload(data, { ...client.options, endpoint })
  const events: LoggedEvent[] = []
  next.on('event', (event) => events.push(event))
  const { url } = await next.start().finally(() => client.close())
  return { data, id: url.slice(url.lastIndexOf('/') + 1), events }
}

/** What was ended. */
function endedIn(events: readonly LoggedEvent[]): string[] {
  const ends = new Set(['reconnect', 'cut', 'waiting', 'takeOver', 'failed', 'resent', 'copy'])
  return events.map(({ type }) => type).filter((type) => ends.has(type))
}

describe.concurrent('a slow but living session is left alone', () => {
  it('by a reconcile server', async ({ onTestFinished }) => {
    const started = await startReconcileServers({ count: 1, ...PATH })
    onTestFinished(() => started.close())
    const [server] = started.servers
    if (!server) throw new Error('no server')
    const { data, id, events } = await upload(server.endpoint)
    const stored = await fetch(`${server.direct}/${id}`)
    expect(sha256(new Uint8Array(await stored.arrayBuffer()))).toBe(sha256(data))
    expect(endedIn(events)).toEqual([])
    expect(server.link.counters.bodyBytesUp).toBe(SIZE)
  })

  it.for([
    ['lets small requests go first', 'fair'],
    ['has them wait behind what is queued', 'fifo'],
  ] as const)(
    'by a plain one, which says nothing before all is there, over a path that %s',
    async ([, discipline], { onTestFinished }) => {
      const directory = await mkdtemp(join(tmpdir(), 'slow-path-'))
      onTestFinished(() => rm(directory, { recursive: true, force: true }))
      const server = await startPlainServer({ directory, discipline, ...PATH })
      onTestFinished(() => server.close())
      const { data, id, events } = await upload(server.endpoint)
      expect(sha256(await readFile(join(directory, id)))).toBe(sha256(data))
      expect(endedIn(events)).toEqual([])
      expect(server.link.counters.bodyBytesUp).toBe(SIZE)
    },
  )
})
