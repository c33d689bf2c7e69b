import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { TestServer } from '../support/reconcile-servers.js'
import { wireProtocol } from '../support/wire-protocol.js'
import { usePageRig } from './page-rig.js'
import { bodyBytes, eventsOf, hasChromium, outcome, storedSha256, untilAcked } from './page-site.js'

const MB = 1_000_000
const BLOCK = 262_144
/** What a browser and its sockets hold of a body that is ended. */
const ON_ITS_WAY = 2 * MB
/** A loaded machine is as much slower. */
const SLOWNESS = 4

describe.skipIf(!hasChromium)('what becomes of a page that uploads, in Chromium', () => {
  const rig = usePageRig()
  const { begin } = rig

  const typesOf = async (page: Page) => (await eventsOf(page)).map(({ type }) => type)

  /** Nothing more arrives: a link that has something to carry carries it within this time. */
  const untilQuiet = (all: readonly TestServer[]) =>
    expect.poll(async () => changed(() => bodyBytes(all), 1_000), { timeout: 30_000 }).toBe(0)

  // leaving by “back” stops it as freezing does, by any protocol
  for (const [what, sleep, wake] of [
    ['frozen', 'freeze', 'resume'],
    ['put aside by “back”', 'pagehide', 'pageshow'],
  ] as const)
    it.runIf(sleep === 'freeze' || wireProtocol === 'h1')(
      `${what}, it sends nothing; awake, it goes on without sending acknowledged blocks again`,
      async () => {
        const { all, file, page } = await begin({ count: 2, rate: MB, size: 8 * MB })
        // what Chromium tells a page that it freezes; it freezes none that is visible
        const tell = (type: string) =>
          page.evaluate((name) => {
            const event = name.startsWith('page')
              ? new PageTransitionEvent(name, { persisted: true })
              : new Event(name, { bubbles: true })
            document.dispatchEvent(event)
            if (name.startsWith('page')) dispatchEvent(event)
          }, type)
        await untilAcked(page, 2 * MB)
        await tell(sleep)
        await expect.poll(() => typesOf(page)).toContain('asleep')
        await untilQuiet(all)
        const before = await typesOf(page)
        expect(before.slice(before.indexOf('asleep'))).not.toContain('session')
        await tell(wake)
        const { url } = await outcome(page)
        expect(await storedSha256(all[0], url)).toBe(file.sha256)
        expect(await typesOf(page)).toContain('awake')
        expect(bodyBytes(all)).toBeLessThan(8 * MB + 4 * BLOCK + 2 * ON_ITS_WAY)
      },
    )

  // which page has its turn does not depend on the protocol
  const itOnce = it.runIf(wireProtocol === 'h1')
  itOnce('of two pages with one file one uploads, the other follows and ends with the same file', async () => {
    const { all, file, page, context } = await begin({ count: 1, rate: MB, size: 8 * MB })
    await untilAcked(page, 2 * MB)
    const other = await rig.site.openPage(all, { context })
    await other.setInputFiles('input', file.path)
    await untilAcked(other, 4 * MB)
    expect(await typesOf(other)).toContain('following')
    const urls = [await outcome(page), await outcome(other)].map(({ url }) => url)
    expect(urls[0]).toBe(urls[1])
    expect(await storedSha256(all[0], urls[0])).toBe(file.sha256)
    expect(bodyBytes(all)).toBe(8 * MB)
    expect(await typesOf(other)).not.toContain('session')
  })

  itOnce('when the page that uploads is closed, the other goes on with what it has uploaded', async () => {
    const { all, file, page, context } = await begin({ count: 1, rate: MB, size: 8 * MB })
    await untilAcked(page, 2 * MB)
    const other = await rig.site.openPage(all, { context })
    await other.setInputFiles('input', file.path)
    await untilAcked(other, 3 * MB)
    await page.close()
    const { url } = await outcome(other)
    expect(await storedSha256(all[0], url)).toBe(file.sha256)
    expect(await typesOf(other)).toContain('session')
    expect(bodyBytes(all)).toBeLessThan(8 * MB + 2 * BLOCK + ON_ITS_WAY)
  })

  it('a pause ends its requests at once', async () => {
    const { all, page } = await begin({ count: 1, rate: MB, size: 10 * MB })
    await untilAcked(page, 2 * MB)
    const before = bodyBytes(all)
    await page.evaluate(() => {
      const beganMs = performance.now()
      const { abort } = XMLHttpRequest.prototype
      XMLHttpRequest.prototype.abort = function () {
        abort.call(this)
        performance.mark('aborted', { detail: performance.now() - beganMs })
      }
      window.bench.pauseAll()
    })
    await untilQuiet(all)
    const abortedMs = await page.evaluate(() =>
      performance.getEntriesByName('aborted').map((mark) => Number(mark instanceof PerformanceMark && mark.detail)),
    )
    expect(abortedMs.length).toBeGreaterThan(0)
    expect(Math.max(...abortedMs)).toBeLessThan(100 * SLOWNESS)
    // a page cannot take back what its browser has handed to the kernel
    expect(bodyBytes(all) - before).toBeLessThan(ON_ITS_WAY)
    const types = await typesOf(page)
    expect(types.slice(types.indexOf('paused'))).not.toContain('session')
  })

  it('maxRate is kept', async () => {
    const { all, page } = await begin({ count: 2, rate: 25 * MB, size: 6 * MB, maxRate: MB })
    await untilAcked(page, MB)
    const [fromMs, from] = [performance.now(), bodyBytes(all)]
    await untilAcked(page, 5 * MB)
    const rate = ((bodyBytes(all) - from) * 1000) / (performance.now() - fromMs)
    expect(rate).toBeLessThan(1.05 * MB)
    expect(rate).toBeGreaterThan(MB / SLOWNESS)
    await outcome(page)
  })
})

/** By how much it has changed after so long. */
async function changed(measure: () => number, ms: number): Promise<number> {
  const before = measure()
  await new Promise((resolve) => setTimeout(resolve, ms))
  return measure() - before
}
