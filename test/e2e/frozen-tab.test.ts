import type { LoggedEvent } from 'uppy-adaptive'
import { describe, expect, it } from 'vitest'
import { BackgroundTab } from './background-tab.js'
import { usePageRig } from './page-rig.js'
import { bodyBytes, hasChromium, storedSha256 } from './page-site.js'

const MB = 1_000_000
const BLOCK = 262_144
/** What a browser and its sockets hold of a body that is ended. */
const ON_ITS_WAY = 2 * MB

describe.skipIf(!hasChromium)('a tab that Chromium freezes behind another one', () => {
  const rig = usePageRig()

  it('sends nothing, and goes on where it was when it is shown again', async ({ skip }) => {
    const all = await rig.servers(2, MB)
    const file = await rig.site.randomFile(12 * MB)
    const tab = await BackgroundTab.open(rig.site.urlFor(all))
    rig.cleanUp(() => tab.close())
    await tab.choose(file.path)
    const events = async (): Promise<LoggedEvent[]> =>
      JSON.parse(String(await tab.evaluate('JSON.stringify(window.bench?.events ?? [])')))
    const acked = async () =>
      (await events()).reduce((most, event) => (event.type === 'progress' ? event.ackedBytes : most), 0)
    await expect.poll(acked).toBeGreaterThan(2 * MB)
    if (!(await tab.hide())) skip('this Chromium hides no page')
    await tab.freeze()
    await expect.poll(() => change(() => bodyBytes(all), 1_500), { timeout: 30_000 }).toBe(0)
    await tab.wake()
    const outcome = async () => JSON.parse(String(await tab.evaluate('JSON.stringify(window.bench.outcome ?? {})')))
    await expect.poll(outcome, { timeout: 60_000 }).toHaveProperty('url')
    expect(await storedSha256(all[0], (await outcome()).url)).toBe(file.sha256)
    const kinds = (await events()).map(({ type }) => type)
    expect(kinds.filter((type) => type === 'asleep' || type === 'awake')).toEqual(['asleep', 'awake'])
    // nobody is blamed for the time
    expect(kinds).not.toContain('reconnect')
    expect(kinds).not.toContain('copy')
    expect(bodyBytes(all)).toBeLessThan(12 * MB + 4 * BLOCK + 2 * ON_ITS_WAY)
  })
})

/** By how much it has changed after so long. */
async function change(measure: () => number, ms: number): Promise<number> {
  const before = measure()
  await new Promise((resolve) => setTimeout(resolve, ms))
  return measure() - before
}
