import { describe, expect, it } from 'vitest'
import { usePageRig } from './page-rig.js'
import { eventsOf, hasChromium, INSECURE_HOST, outcome, storedSha256, untilAcked } from './page-site.js'

const MB = 1_000_000

describe.skipIf(!hasChromium)('a page that is no secure context, in Chromium', () => {
  const rig = usePageRig()

  it('has its blocks hashed by a worker, is sent to several servers, and goes on after a reload', async () => {
    const all = await rig.servers(2, MB)
    const file = await rig.site.randomFile(8 * MB)
    const page = await rig.site.openPage(all, { host: INSECURE_HOST })
    expect(await page.evaluate(() => [isSecureContext, typeof crypto.subtle])).toEqual([false, 'undefined'])
    const hashing = page.waitForEvent('worker')
    await page.setInputFiles('input', file.path)
    expect((await hashing).url()).toContain('hashing-worker')
    await untilAcked(page, 3 * MB)
    await page.reload()
    await page.setInputFiles('input', file.path)
    const { url, error } = await outcome(page)
    expect(error).toBeUndefined()
    expect(await storedSha256(all[0], url)).toBe(file.sha256)
    expect(await eventsOf(page)).toContainEqual(expect.objectContaining({ type: 'started', resumed: true }))
  })
})
