import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { afterEach, expect, it } from 'vitest'
import { hasNginx, NO_NGINX, startWireNginx } from '../support/nginx.js'
import { startReconcileServers } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'

const found = await hasNginx()
if (!found) console.error(`SKIPPED: ${NO_NGINX}`)

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** An nginx that takes 1 MiB at once before a server: where it is, the server's own address, and how often it has refused. */
async function startLimited() {
  const directory = await mkdtemp(join(tmpdir(), 'body-limit-test-'))
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  const { servers, close } = await startReconcileServers({ count: 1, protocol: 'h1' })
  cleanups.push(close)
  const direct = new URL(servers[0]?.direct ?? '')
  const upstreamPort = Number(direct.port)
  const nginx = await startWireNginx({ directory, upstreamPort, directives: 'client_max_body_size 1m;' })
  cleanups.push(() => nginx.close())
  return {
    direct,
    refused: async () => (await nginx.answers()).filter(({ status }) => status === 413).length,
    options: {
      ...nodeClient(),
      endpoint: `${nginx.scheme}://127.0.0.1:${nginx.port}/files`,
      // the first body of all is too large already
      partitioning: { initialSize: 4 * 1024 * 1024 },
      predictor: { memory: join(directory, 'memory.json') },
    },
  }
}

async function expectStored(file: Buffer, url: string, direct: URL): Promise<void> {
  const stored = await fetch(`${direct}/${url.slice(url.lastIndexOf('/') + 1)}`)
  expect(Buffer.from(await stored.arrayBuffer()).equals(file)).toBe(true)
}

it.skipIf(!found)(
  'behind an nginx that takes 1 MiB at once, two bodies are refused at most, and none of the next upload',
  async () => {
    const { direct, refused, options } = await startLimited()
    for (const wasted of [2, 0]) {
      const before = await refused()
      const file = randomBytes(12_000_000)
      const { url } = await new AdaptiveUpload(file, options).start()
      await expectStored(file, url, direct)
      const now = await refused()
      expect(now - before).toBeLessThanOrEqual(wasted)
      // the limit is nginx's: without it the test would show nothing
      expect(now).toBeGreaterThan(0)
    }
  },
)

it.skipIf(!found)('of files that begin at once there, two bodies are refused at most, too', async () => {
  const { direct, refused, options } = await startLimited()
  const files = Array.from({ length: 4 }, () => randomBytes(6_000_000))
  const results = await Promise.all(files.map((file) => new AdaptiveUpload(file, options).start()))
  for (const [i, file] of files.entries()) await expectStored(file, results[i]?.url ?? '', direct)
  const count = await refused()
  expect(count).toBeGreaterThan(0)
  expect(count).toBeLessThanOrEqual(2)
})
