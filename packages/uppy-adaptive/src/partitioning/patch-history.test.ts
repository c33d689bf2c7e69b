import { describe, expect, it } from 'vitest'
import { PatchHistory } from './patch-history.js'

const MIB = 1024 * 1024
const lost = { sizeBytes: 32 * MIB, handedBytes: 20 * MIB, keptBytes: 0, isCut: true }

describe('what broken PATCHes teach', () => {
  it('is that a server keeps nothing, at the second at the latest, and the next one is half as large', () => {
    const history = new PatchHistory()
    history.broken(lost)
    history.broken({ ...lost, sizeBytes: 16 * MIB, handedBytes: 10 * MIB })
    expect(history.lostShare).toBeGreaterThan(0.8)
    expect(history.mostBytes).toBe(8 * MIB)
  })

  it('is nothing where the server kept what was handed over but for buffers', () => {
    const history = new PatchHistory()
    history.broken({ ...lost, keptBytes: 19 * MIB })
    expect(history.lostShare).toBeLessThan(0.05)
    expect(history.mostBytes).toBe(Number.POSITIVE_INFINITY)
  })

  it('is forgotten step by step as PATCHes arrive', () => {
    const history = new PatchHistory()
    history.broken(lost)
    history.arrived(16 * MIB)
    expect(history.mostBytes).toBe(32 * MIB)
  })

  it('is a limit on bodies where the connection breaks twice at the same byte, answered by nothing', () => {
    const history = new PatchHistory()
    expect(history.broken({ ...lost, handedBytes: 100_000 })).toBe(false)
    expect(history.broken({ ...lost, handedBytes: 160_000 })).toBe(true)
  })

  it('is a limit on bodies where each breaks off after its last byte', () => {
    const history = new PatchHistory()
    expect(history.broken({ ...lost, handedBytes: lost.sizeBytes })).toBe(false)
    expect(history.broken({ ...lost, sizeBytes: 16 * MIB, handedBytes: 16 * MIB })).toBe(true)
  })

  it('is no limit where they break off far apart, as links do', () => {
    const history = new PatchHistory()
    history.broken(lost)
    expect(history.broken({ ...lost, handedBytes: 3 * MIB })).toBe(false)
  })

  it('is no limit where we gave the connection up ourselves', () => {
    const history = new PatchHistory()
    const stalled = { ...lost, handedBytes: 100_000, isCut: false }
    expect([history.broken(stalled), history.broken(stalled)]).toEqual([false, false])
    expect(history.mostBytes).toBe(Number.POSITIVE_INFINITY)
  })
})
