import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, type CDPSession, chromium } from 'playwright-core'
import { CHROMIUM_FLAGS, findChromium, NO_CHROMIUM } from 'reconcile-test-support/chromium'
import { build, type PreviewServer, preview } from 'vite'
import type { PageBench, PageOutcome, PageRun } from './page-run.js'
import { SeededBytes } from './seeded-bytes.js'

/** The page's sources: what is built lies one folder deeper. */
const PAGE = fileURLToPath(new URL('../../browser/page', import.meta.url))

export interface RunOptions extends PageRun {
  readonly file: string
  /** Of the page's own thread, 1 as it is (default). */
  readonly cpuThrottling?: number
  /** Called each second while it uploads. */
  readonly watch?: (page: WatchedPage) => Promise<void>
}

export interface WatchedPage {
  /** After a garbage collection: objects and what they keep outside of the heap. */
  heapBytes(): Promise<number>
}

export interface Measured extends PageOutcome {
  /** Of all processes of the browser, while the page uploaded. */
  readonly cpuSeconds: number
}

/** Chromium, and the page in which uploaders are compared, served from an origin of its own. */
export class ComparisonSite {
  readonly version: string
  readonly #folder: string
  readonly #browser: Browser
  readonly #cdp: CDPSession
  readonly #preview: PreviewServer

  private constructor(o: { folder: string; browser: Browser; cdp: CDPSession; preview: PreviewServer }) {
    this.#folder = o.folder
    this.#browser = o.browser
    this.#cdp = o.cdp
    this.#preview = o.preview
    this.version = `Chromium ${o.browser.version()}`
  }

  /** @throws Error where there is no Chromium */
  static async open(): Promise<ComparisonSite> {
    const found = await findChromium()
    if (!found) throw new Error(NO_CHROMIUM)
    const folder = await mkdtemp(join(tmpdir(), 'bench-browser-'))
    const outDir = join(folder, 'page')
    await build({ root: PAGE, logLevel: 'error', build: { outDir, emptyOutDir: true } })
    const served = await preview({
      ...{ root: PAGE, logLevel: 'error', build: { outDir } },
      preview: { port: 0, host: '127.0.0.1' },
    })
    const browser = await chromium.launch({
      executablePath: found.executablePath,
      args: [...CHROMIUM_FLAGS, '--enable-precise-memory-info'],
      env: { ...process.env, ...found.env },
    })
    return new ComparisonSite({ folder, browser, cdp: await browser.newBrowserCDPSession(), preview: served })
  }

  /** The same bytes for the same seed and size. */
  async seededFile(seed: number, size: number): Promise<string> {
    const path = join(this.#folder, `seed-${seed}-${size}.bin`)
    await writeFile(path, new SeededBytes(seed).take(size))
    return path
  }

  /** A file of that size that takes no room on the disk. */
  async sparseFile(size: number): Promise<string> {
    const path = join(this.#folder, `sparse-${size}.bin`)
    const file = await open(path, 'w')
    await file.truncate(size)
    await file.close()
    return path
  }

  /** One upload by a user who has just come. */
  async run({ file, cpuThrottling = 1, watch, ...asked }: RunOptions): Promise<Measured> {
    const context = await this.#browser.newContext({ locale: 'en-US' })
    try {
      const page = await context.newPage()
      await page.goto(this.#preview.resolvedUrls?.local[0] ?? '')
      await page.setInputFiles('input', file)
      const cdp = await context.newCDPSession(page)
      await cdp.send('Emulation.setCPUThrottlingRate', { rate: cpuThrottling })
      const before = await this.#cpuSeconds()
      const running = page.evaluate(
        (o) => (globalThis as unknown as { comparison: PageBench }).comparison.run(o),
        asked,
      )
      if (watch) await whileRunning(running, () => watch(watched(cdp)))
      const outcome = await running
      const cpuSeconds = (await this.#cpuSeconds()) - before
      return { ...outcome, cpuSeconds }
    } finally {
      await context.close()
    }
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.#preview.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #cpuSeconds(): Promise<number> {
    const { processInfo } = await this.#cdp.send('SystemInfo.getProcessInfo')
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0)
  }
}

async function whileRunning(running: Promise<unknown>, look: () => Promise<void>): Promise<void> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  running.then(over, over)
  while (!isOver) {
    await look()
    await sleep(1_000)
  }
}

function watched(cdp: CDPSession): WatchedPage {
  return {
    heapBytes: async () => {
      await cdp.send('HeapProfiler.collectGarbage')
      const usage = await cdp.send('Runtime.getHeapUsage')
      return usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize
    },
  }
}
