import { seededRandom } from 'reconcile-test-support/links/index'
import { describe, expect, it } from 'vitest'
import { drawBlackout, drawDegrade, drawKill, drawOutages } from './moments.js'

const seeds = Array.from({ length: 200 }, (_, seed) => seed)
const random = (seed: number) => ({ random: seededRandom(`test ${seed}`) })

describe('moments of the scenarios', () => {
  it('are the same for the same seed and others for another', () => {
    expect(drawDegrade(random(1))).toEqual(drawDegrade(random(1)))
    expect(drawDegrade(random(1))).not.toEqual(drawDegrade(random(2)))
  })

  it('lie where the issue wants them, for every seed', () => {
    for (const seed of seeds) {
      const { slowAt, backAt, pick } = drawDegrade(random(seed))
      expect([slowAt >= 0.25 && slowAt <= 0.4, backAt >= 0.6 && backAt <= 0.7, pick < 1]).toEqual([true, true, true])
      const { at, downMs } = drawKill(random(seed))
      expect([at >= 0.2 && at <= 0.5, downMs >= 2000 && downMs <= 4000]).toEqual([true, true])
      expect(drawBlackout(random(seed)).at).toBeGreaterThanOrEqual(0.2)
      expect(drawBlackout(random(seed)).at).toBeLessThanOrEqual(0.5)
    }
  })

  it('bring one or two outages of the last mile, in order', () => {
    const counts = new Set<number>()
    for (const seed of seeds) {
      const outages = drawOutages(random(seed))
      counts.add(outages.length)
      for (const { at, lastsMs } of outages) {
        expect([at >= 0.2 && at <= 0.6, lastsMs >= 3000 && lastsMs <= 8000]).toEqual([true, true])
      }
      expect(outages.map(({ at }) => at)).toEqual(outages.map(({ at }) => at).sort())
    }
    expect([...counts].sort()).toEqual([1, 2])
  })
})
