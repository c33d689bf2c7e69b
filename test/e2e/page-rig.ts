import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { startReconcileServers, type TestServer } from '../support/reconcile-servers.js'
import { type PageOptions, PageSite } from './page-site.js'

/** What a page uploads, and where to. Bytes, and bytes per second of each server's link. */
interface Beginning extends PageOptions {
  readonly count: number
  readonly rate: number
  readonly size: number
}

/** Servers, a page that knows them, and a file of which it has begun to upload. */
interface Begun {
  readonly all: readonly TestServer[]
  readonly file: { readonly path: string; readonly sha256: string }
  readonly page: Page
  readonly context: BrowserContext
}

export interface PageRig {
  readonly site: PageSite
  servers(count: number, upBytesPerSecond: number): Promise<readonly TestServer[]>
  begin(o: Beginning): Promise<Begun>
  /** After the test, the last one first. */
  cleanUp(cleanup: () => Promise<unknown>): void
}

/** One site for the tests of the suite that calls this; what each of them opens is gone after it. */
export function usePageRig(): PageRig {
  let opened: PageSite | undefined
  const cleanups: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    opened = await PageSite.open()
  })
  afterEach(async () => {
    await opened?.clear()
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await opened?.close()
  })

  const site = (): PageSite => {
    if (!opened) throw new Error('no site before the first test')
    return opened
  }
  const servers = async (count: number, upBytesPerSecond: number) => {
    const started = await startReconcileServers({ count, upBytesPerSecond })
    cleanups.push(() => started.close())
    return started.servers
  }
  return {
    get site() {
      return site()
    },
    servers,
    begin: async ({ count, rate, size, ...o }) => {
      const all = await servers(count, rate)
      const file = await site().randomFile(size)
      const context = await site().openContext()
      const page = await site().openPage(all, { ...o, context })
      await page.setInputFiles('input', file.path)
      return { all, file, page, context }
    },
    cleanUp: (cleanup) => void cleanups.push(cleanup),
  }
}
