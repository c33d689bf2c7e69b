import { describe, expect, it } from 'vitest'
import { decideFreshConnection, estimatePatienceMs, isDraining } from './quiet-patch.js'

const patch = {
  ...{ sizeBytes: 30_000_000, handedBytes: 10_000_000, movingMs: 4_000, reports: 40 },
  ...{ goodputBytesPerSecond: undefined, freshTries: 0 },
}

it('a PATCH whose rhythm is known may be quiet for 1.5 s, and twice as long after each fresh connection in vain', () => {
  expect([0, 1, 2, 9].map((freshTries) => estimatePatienceMs({ ...patch, freshTries }))).toEqual([
    1_500, 3_000, 6_000, 24_000,
  ])
})

it('while buffers fill it may be quiet for as long as that took, and as they may take to empty', () => {
  const filling = { ...patch, handedBytes: 500_000, reports: 3 }
  // of 10 MB five went over the path in these four seconds
  expect(estimatePatienceMs({ ...patch, reports: 3 })).toBe(8_000)
  expect(estimatePatienceMs({ ...filling, goodputBytesPerSecond: 10_000_000 })).toBe(4_000)
  expect(estimatePatienceMs({ ...filling, goodputBytesPerSecond: 100_000 })).toBe(10_000)
})

it('nothing is known of a path at first: it may be slow, and is given the time', () => {
  const first = { ...patch, movingMs: 10, reports: 1 }
  expect(estimatePatienceMs({ ...first, handedBytes: 16_384 })).toBe(24_000)
  expect(estimatePatienceMs({ ...first, handedBytes: 65_536 })).toBe(24_000)
  expect(estimatePatienceMs({ ...first, sizeBytes: 65_536, handedBytes: 65_536 })).toBe(1_500 + 24_000 + 5_000)
  // once bytes arrived by it, it is known
  expect(estimatePatienceMs({ ...first, handedBytes: 65_536, goodputBytesPerSecond: 3_000 })).toBeCloseTo(43_691, 0)
})

it('after its last byte it is waited for while buffers empty at the known rate, and for the answer', () => {
  const sent = { ...patch, handedBytes: patch.sizeBytes }
  expect(estimatePatienceMs({ ...sent, goodputBytesPerSecond: 1_000_000 })).toBe(1_500 + 10_000 + 5_000)
  expect(estimatePatienceMs({ ...sent, goodputBytesPerSecond: 10_000_000 })).toBe(1_500 + 1_000 + 5_000)
})

it('while buffers empty nobody is asked, for half of that time', () => {
  const sent = { ...patch, handedBytes: patch.sizeBytes, goodputBytesPerSecond: 10_000_000 }
  expect([3_700, 3_800].map((quietMs) => isDraining({ ...sent, quietMs }))).toEqual([true, false])
  expect(isDraining({ ...patch, quietMs: 0 })).toBe(false)
})

describe('a PATCH that stands still', () => {
  const silence = {
    ...patch,
    ...{ server: 0.1, connection: 0.1, phi: 4, gapMs: 2_000, quietMs: 2_000, answersElsewhere: true },
  }

  it('goes on over a fresh connection when the server answers another', () => {
    expect(decideFreshConnection(silence)).toBe('silent 2.0 s, but the server answers on a new connection')
  })

  it('is left as it is while nobody answers: the path may be out', () => {
    expect(decideFreshConnection({ ...silence, answersElsewhere: false, server: 0.9, phi: 8 })).toBeUndefined()
  })

  it('is left as it is while such silences are usual there, or it has its patience', () => {
    expect(decideFreshConnection({ ...silence, phi: 3 })).toBeUndefined()
    expect(decideFreshConnection({ ...silence, quietMs: 1_400 })).toBeUndefined()
  })

  it('is tried anew once as soon as its connection alone is likely to wait, and again when the server answers another', () => {
    const backedOff = { ...silence, connection: 0.8, phi: 2.5, answersElsewhere: false }
    expect(decideFreshConnection(backedOff)).toMatch(/since the link was out/)
    const again = { ...backedOff, freshTries: 1, quietMs: 3_000, phi: 4 }
    expect(decideFreshConnection(again)).toBeUndefined()
    expect(decideFreshConnection({ ...again, answersElsewhere: true })).toMatch(/answers on a new connection/)
  })
})
