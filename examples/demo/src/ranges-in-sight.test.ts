import { describe, expect, it } from 'vitest'
import { RangesInSight } from './ranges-in-sight.js'
import { chooseVictim } from './scenarios/degrade.js'

const KIB = 1024
const body = (server: number, from: number, end: number, session = `s${from}`) => ({
  ...{ session, server, from, end },
  bodyBytes: end - from,
})

describe('what the wires show of a file', () => {
  it('is covered when bodies announce every byte, before they have arrived', () => {
    const seen = new RangesInSight(100)
    expect(seen.isCovered).toBe(false)
    seen.begin(body(0, 0, 60))
    expect(seen.isCovered).toBe(false)
    seen.begin(body(1, 60, 100))
    expect(seen.isCovered).toBe(true)
  })

  it('counts a broken body for what it delivered', () => {
    const seen = new RangesInSight(100)
    const name = seen.begin(body(0, 0, 100))
    seen.deliver(name, 40)
    seen.finish(name, 'broken')
    expect(seen.isCovered).toBe(false)
    seen.begin(body(1, 40, 100))
    expect(seen.isCovered).toBe(true)
  })

  it('gives up the tail of a session whose end was lowered', () => {
    const seen = new RangesInSight(100)
    seen.begin(body(0, 0, 100, 'victim'))
    seen.lowerEnd('victim', 30)
    expect(seen.isCovered).toBe(false)
    seen.begin(body(1, 30, 100))
    expect(seen.isCovered).toBe(true)
    expect(seen.openBodies().map(({ server, leftBytes }) => ({ server, leftBytes }))).toEqual([
      { server: 0, leftBytes: 30 },
      { server: 1, leftBytes: 70 },
    ])
  })

  it('gives up the rest of a session that was dropped', () => {
    const seen = new RangesInSight(100)
    const name = seen.begin(body(0, 0, 100, 'victim'))
    seen.deliver(name, 10)
    seen.drop('victim')
    expect(seen.isCovered).toBe(false)
    expect(seen.openBodies()).toEqual([])
  })
})

describe('the mirror that stalls at the end', () => {
  const mirrors = [{ index: 1 }, { index: 2 }]

  it('is nobody while a byte is unsent', () => {
    const seen = new RangesInSight(2048 * KIB)
    seen.begin(body(1, 0, 1024 * KIB))
    expect(chooseVictim(seen, mirrors, 0)).toBeUndefined()
  })

  it('is never the primary', () => {
    const seen = new RangesInSight(1024 * KIB)
    seen.begin(body(0, 0, 1024 * KIB))
    expect(chooseVictim(seen, mirrors, 0)).toBeUndefined()
  })

  it('is drawn among those with much left, whoever has more', () => {
    const seen = new RangesInSight(3072 * KIB)
    seen.begin(body(1, 0, 1024 * KIB))
    seen.begin(body(2, 1024 * KIB, 3072 * KIB))
    expect(chooseVictim(seen, mirrors, 0)?.server).toBe(2)
    expect(chooseVictim(seen, mirrors, 0.99)?.server).toBe(1)
  })

  it('is the one with most left when none has much', () => {
    const seen = new RangesInSight(1044 * KIB)
    const name = seen.begin(body(1, 0, 1024 * KIB))
    seen.deliver(name, 900 * KIB)
    seen.begin(body(2, 1024 * KIB, 1044 * KIB))
    expect(chooseVictim(seen, mirrors, 0.99)?.server).toBe(1)
    seen.deliver(name, 124 * KIB)
    expect(chooseVictim(seen, mirrors, 0)?.server).toBe(2)
  })
})
