import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import type { LoggedEvent } from 'uppy-adaptive'
import { build, type PreviewServer, preview } from 'vite'
import { CHROMIUM_FLAGS, findChromium, NO_CHROMIUM } from '../support/chromium.js'
import type { TestServer } from '../support/reconcile-servers.js'
import { chromiumTrust } from '../support/wire-protocol.js'

/** What the page's plugin is given beside the servers. */
export interface PageOptions {
  readonly chunkSize?: number
  readonly maxRate?: number
  /** For the primary: `name=value`. */
  readonly header?: string
  /** Of each mirror. */
  readonly localAddress?: string
}

const found = await findChromium()
if (!found) console.error(`SKIPPED: ${NO_CHROMIUM}`)
export const hasChromium: boolean = found !== undefined

/** By this name, unlike by 127.0.0.1, a page without TLS is no secure context. */
export const INSECURE_HOST = 'insecure.test'

/** Chromium, and the page under test, served from an origin of its own. */
export class PageSite {
  /** For whatever a test writes; gone with the site. */
  readonly folder: string
  readonly #browser: Browser
  readonly #preview: PreviewServer
  readonly #contexts: BrowserContext[] = []

  private constructor(o: { folder: string; browser: Browser; preview: PreviewServer }) {
    this.folder = o.folder
    this.#browser = o.browser
    this.#preview = o.preview
  }

  static async open(): Promise<PageSite> {
    const folder = await mkdtemp(join(tmpdir(), 'page-test-'))
    const root = fileURLToPath(new URL('page', import.meta.url))
    const outDir = join(folder, 'page')
    await build({ root, logLevel: 'error', build: { outDir, emptyOutDir: true } })
    const served = await preview({
      ...{ root, logLevel: 'error', build: { outDir } },
      preview: { port: 0, host: '127.0.0.1', allowedHosts: [INSECURE_HOST] },
    })
    const browser = await chromium.launch({
      executablePath: found?.executablePath ?? '',
      args: [...CHROMIUM_FLAGS, `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`, ...(await chromiumTrust())],
      env: { ...process.env, ...found?.env },
    })
    return new PageSite({ folder, browser, preview: served })
  }

  /** What pages share that one user has open. */
  async openContext(): Promise<BrowserContext> {
    const context = await this.#browser.newContext({ locale: 'en-US' })
    this.#contexts.push(context)
    return context
  }

  /** The page, with these servers, in a context of its own or the one given, by the site's address or another host name. */
  async openPage(
    all: readonly Pick<TestServer, 'endpoint'>[],
    { context, host, ...o }: PageOptions & { context?: BrowserContext; host?: string } = {},
  ): Promise<Page> {
    const page = await (context ?? (await this.openContext())).newPage()
    const url = new URL(this.urlFor(all, o))
    if (host !== undefined) url.hostname = host
    await page.goto(url.href)
    return page
  }

  urlFor(all: readonly Pick<TestServer, 'endpoint'>[], options: PageOptions = {}): string {
    const query = new URLSearchParams(all.map((server) => ['server', server.endpoint]))
    for (const [name, value] of Object.entries(options)) if (value !== undefined) query.set(name, String(value))
    return `${this.#preview.resolvedUrls?.local[0]}?${query}`
  }

  async randomFile(size: number): Promise<{ path: string; sha256: string }> {
    const data = randomBytes(size)
    const path = join(this.folder, `file-${size}.bin`)
    await writeFile(path, data)
    return { path, sha256: createHash('sha256').update(data).digest('hex') }
  }

  /** Ends what a test has opened. */
  async clear(): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close()
  }

  async close(): Promise<void> {
    await this.clear()
    await this.#browser.close()
    await this.#preview.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** What the page's upload has come to. */
export async function outcome(page: Page): Promise<{ url?: string; error?: string }> {
  await page.waitForFunction(() => window.bench.outcome !== undefined, undefined, { timeout: 120_000 })
  return page.evaluate(() => window.bench.outcome ?? {})
}

export function eventsOf(page: Page): Promise<LoggedEvent[]> {
  return page.evaluate(() => window.bench.events)
}

export async function untilAcked(page: Page, bytes: number): Promise<void> {
  await page.waitForFunction(
    (least) => window.bench.events.some((event) => event.type === 'progress' && event.ackedBytes >= least),
    bytes,
  )
}

export async function storedSha256(primary: TestServer | undefined, url: string | undefined): Promise<string> {
  const response = await fetch(`${primary?.direct}/${url?.slice(url.lastIndexOf('/') + 1)}`)
  return createHash('sha256')
    .update(new Uint8Array(await response.arrayBuffer()))
    .digest('hex')
}

/** Body bytes that have passed the servers' links. */
export function bodyBytes(all: readonly TestServer[]): number {
  return all.reduce((sum, server) => sum + server.link.counters.bodyBytesUp, 0)
}
