import { parseTrace, scheduleOfTrace } from 'reconcile-test-support/links/index'
import { describe, expect, it } from 'vitest'
import { lastMileRates, planWorld } from './world-plan.js'

const MBIT = 125_000

describe('rates of the world', () => {
  it('let a file take 20 s, within 20 to 100 Mbit/s', () => {
    const rateOf = (sizeBytes: number) => planWorld({ sizeBytes, seed: 1, servers: 3 }).lastMileBytesPerSecond / MBIT
    expect([1e6, 64e6, 125e6, 500e6].map(rateOf)).toEqual([20, 25.6, 50, 100])
  })

  it('let no path fill the last mile alone, and all of them together more than that', () => {
    for (let seed = 0; seed < 100; seed++) {
      const { paths, lastMileBytesPerSecond: lastMile } = planWorld({ sizeBytes: 64e6, seed, servers: 3 })
      const shares = paths.map((path) => path.upBytesPerSecond / lastMile)
      expect(shares.every((share) => share >= 0.499 && share <= 0.801)).toBe(true)
      expect(paths.every(({ delayMs }) => delayMs >= 10 && delayMs <= 40)).toBe(true)
    }
  })

  it('give a single server nearly the whole last mile', () => {
    const { paths, lastMileBytesPerSecond } = planWorld({ sizeBytes: 64e6, seed: 3, servers: 1 })
    expect(paths).toHaveLength(1)
    expect(paths[0]?.upBytesPerSecond).toBeGreaterThanOrEqual(0.89 * lastMileBytesPerSecond)
  })

  it('follow a trace on the last mile, and take its mean for the paths', () => {
    const trace = parseTrace('rows', 'start_ms,dur_ms,mbps\n0,1000,8\n1000,1000,0\n')
    const plan = planWorld({ sizeBytes: 64e6, seed: 1, servers: 3, trace })
    expect(plan.lastMileBytesPerSecond).toBe(500_000)
    expect(plan.paths.every((path) => path.upBytesPerSecond <= 400_000)).toBe(true)
    const { upBytesPerSecond, downBytesPerSecond } = lastMileRates(plan, 0.5)
    expect(upBytesPerSecond).toEqual(scheduleOfTrace(trace, 0.5))
    expect(downBytesPerSecond).toEqual(scheduleOfTrace(trace, 2))
  })

  it('are another world for another seed', () => {
    const world = (seed: number) => planWorld({ sizeBytes: 64e6, seed, servers: 3 })
    expect(world(1)).toEqual(world(1))
    expect(world(1)).not.toEqual(world(2))
  })
})
