import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import type { LoggedEvent } from 'uppy-adaptive'
import { build, type PreviewServer, preview } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM_FLAGS, findChromium, NO_CHROMIUM } from '../support/chromium.js'
import { startReconcileServers, type TestServer } from '../support/reconcile-servers.js'

const MB = 1_000_000
const found = await findChromium()
if (!found) console.error(`SKIPPED: ${NO_CHROMIUM}`)

describe.skipIf(!found)('the plugin in Chromium, across origins', () => {
  let browser: Browser
  let site: PreviewServer
  let folder: string
  const cleanups: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'browser-test-'))
    const root = fileURLToPath(new URL('page', import.meta.url))
    await build({ root, logLevel: 'error', build: { outDir: join(folder, 'page'), emptyOutDir: true } })
    site = await preview({
      root,
      logLevel: 'error',
      build: { outDir: join(folder, 'page') },
      preview: { port: 0, host: '127.0.0.1' },
    })
    browser = await chromium.launch({
      executablePath: found?.executablePath ?? '',
      args: [...CHROMIUM_FLAGS],
      env: { ...process.env, ...found?.env },
    })
  })

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  afterAll(async () => {
    await browser?.close()
    await site?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function servers(count: number, upBytesPerSecond: number): Promise<readonly TestServer[]> {
    const started = await startReconcileServers({ count, upBytesPerSecond })
    cleanups.push(() => started.close())
    return started.servers
  }

  async function randomFile(size: number): Promise<{ path: string; sha256: string }> {
    const data = randomBytes(size)
    const path = join(folder, `file-${size}.bin`)
    await writeFile(path, data)
    return { path, sha256: createHash('sha256').update(data).digest('hex') }
  }

  async function openPage(all: readonly TestServer[]): Promise<Page> {
    const context = await browser.newContext({ locale: 'en-US' })
    cleanups.push(() => context.close())
    const page = await context.newPage()
    const query = new URLSearchParams(all.map((server) => ['server', server.endpoint]))
    await page.goto(`${site.resolvedUrls?.local[0]}?${query}`)
    return page
  }

  async function outcome(page: Page): Promise<{ url?: string; error?: string }> {
    await page.waitForFunction(() => window.bench.outcome !== undefined, undefined, { timeout: 120_000 })
    return page.evaluate(() => window.bench.outcome ?? {})
  }

  function eventsOf(page: Page): Promise<LoggedEvent[]> {
    return page.evaluate(() => window.bench.events)
  }

  async function untilAcked(page: Page, bytes: number): Promise<void> {
    await page.waitForFunction(
      (least) => window.bench.events.some((event) => event.type === 'progress' && event.ackedBytes >= least),
      bytes,
    )
  }

  async function storedSha256(primary: TestServer | undefined, url: string | undefined): Promise<string> {
    const response = await fetch(`${primary?.direct}/${url?.slice(url.lastIndexOf('/') + 1)}`)
    return createHash('sha256')
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest('hex')
  }

  const bodyBytes = (all: readonly TestServer[]) =>
    all.reduce((sum, server) => sum + server.link.counters.bodyBytesUp, 0)

  it('uploads to three servers, byte-identical, with no byte twice', async () => {
    const all = await servers(3, 4 * MB)
    const file = await randomFile(12 * MB)
    const page = await openPage(all)
    await page.setInputFiles('input', file.path)
    const { url } = await outcome(page)
    expect(await storedSha256(all[0], url)).toBe(file.sha256)
    expect(bodyBytes(all)).toBe(12 * MB)
  })

  it('costs no preflight per partition', async () => {
    const all = await servers(1, 4 * MB)
    const file = await randomFile(8 * MB)
    const page = await openPage(all)
    await page.setInputFiles('input', file.path)
    await outcome(page)
    const partitions = (await eventsOf(page)).filter((event) => event.type === 'session').length
    expect(partitions).toBeGreaterThan(3)
    // one preflight for the probe's own OPTIONS, the probe, and one for all POSTs to the endpoint
    expect(all[0]?.link.counters.requests.OPTIONS).toBeLessThanOrEqual(3)
    expect(all[0]?.link.counters.requests.PATCH ?? 0).toBe(0)
  })

  it('goes on after a reload in mid-upload without sending acknowledged blocks again', async () => {
    const all = await servers(2, 2 * MB)
    const file = await randomFile(14 * MB)
    const page = await openPage(all)
    await page.setInputFiles('input', file.path)
    await untilAcked(page, 5 * MB)
    await page.reload()
    const before = bodyBytes(all)
    await page.setInputFiles('input', file.path)
    const { url } = await outcome(page)
    expect(await storedSha256(all[0], url)).toBe(file.sha256)
    expect((await eventsOf(page)).find((event) => event.type === 'started')).toMatchObject({ resumed: true })
    // what was acknowledged when the page went is not sent again; what was on its way, and begun blocks, may be
    expect(bodyBytes(all) - before).toBeLessThan(14 * MB - 5 * MB + 0.6 * MB)
  })

  it('takes over from a server that falls silent in mid-upload', async () => {
    const all = await servers(3, 2 * MB)
    const file = await randomFile(20 * MB)
    const page = await openPage(all)
    await page.setInputFiles('input', file.path)
    await untilAcked(page, 5 * MB)
    all[1]?.link.stall()
    const { url } = await outcome(page)
    expect(await storedSha256(all[0], url)).toBe(file.sha256)
    expect((await eventsOf(page)).some((event) => event.type === 'takeOver' && event.server === 1)).toBe(true)
  })

  it('pauses and resumes with the page’s own buttons', async () => {
    const all = await servers(2, 2 * MB)
    const file = await randomFile(9 * MB)
    const page = await openPage(all)
    await page.setInputFiles('input', file.path)
    await untilAcked(page, 2 * MB)
    await page.evaluate(() => window.bench.pauseAll())
    await page.waitForFunction(() => window.bench.events.some((event) => event.type === 'paused'))
    await page.evaluate(() => window.bench.resumeAll())
    const { url } = await outcome(page)
    expect(await storedSha256(all[0], url)).toBe(file.sha256)
    const types = (await eventsOf(page)).map((event) => event.type)
    expect(types.slice(types.indexOf('paused'), types.indexOf('resumed'))).not.toContain('session')
  })

  it('leaves nothing on any server after a cancel', async () => {
    const all = await servers(2, 2 * MB)
    const file = await randomFile(10 * MB)
    const page = await openPage(all)
    await page.setInputFiles('input', file.path)
    await untilAcked(page, 3 * MB)
    await page.evaluate(() => window.bench.cancelAll())
    for (const server of all) {
      await expect
        .poll(async () => (await readdir(server.directory)).filter((name) => !name.startsWith('.')), {
          timeout: 20_000,
        })
        .toEqual([])
    }
  })
})
