import { describe, expect, it } from 'vitest'
import { decideFreshConnection, estimatePatienceMs, isDraining, type Silence } from './quiet-patch.js'

const patch = {
  ...{ sizeBytes: 30_000_000, handedBytes: 10_000_000, movingMs: 4_000, reports: 40, usualGapMs: 100 },
  ...{ goodputBytesPerSecond: undefined, freshTries: 0 },
}

it('a PATCH whose rhythm is known may be quiet for 1.5 s, and twice as long after each fresh connection in vain', () => {
  expect([0, 1, 2, 9].map((freshTries) => estimatePatienceMs({ ...patch, freshTries }))).toEqual([
    1_500, 3_000, 6_000, 24_000,
  ])
})

it('and for six of its usual gaps: on a slow path buffers take more only now and then, and are silent while they empty', () => {
  expect([200, 300, 15_000].map((usualGapMs) => estimatePatienceMs({ ...patch, usualGapMs }))).toEqual([
    1_500, 1_800, 90_000,
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
    ...{ fastestAnswerMs: 40, wasOut: false },
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

  describe('over a path of which nothing is known', () => {
    const first = { ...silence, handedBytes: 16_384, movingMs: 10, reports: 1 }
    const longestMs = (o: Partial<Silence> = {}) => {
      const isLeft = (quietMs: number) =>
        decideFreshConnection({ ...first, ...o, quietMs, gapMs: quietMs }) === undefined
      return Array.from({ length: 240 }, (_, index) => (index + 1) * 1_000).filter(isLeft).length * 1_000
    }

    it('is left as it is for as long as buffers may take on one so slow as its answers allow', () => {
      expect([5, 20, 30, 600].map((fastestAnswerMs) => longestMs({ fastestAnswerMs }))).toEqual([
        23_000, 40_000, 61_000, 65_000,
      ])
      expect(longestMs({ handedBytes: 180_000 })).toBe(89_000)
      expect(longestMs({ handedBytes: 5_000_000 })).toBe(119_000)
    })

    it('is not left so long when the path was out: then it is TCP that waits', () => {
      expect(longestMs({ wasOut: true })).toBe(23_000)
    })

    it('nor once its rhythm or its rate is known', () => {
      expect(longestMs({ reports: 12, movingMs: 100 })).toBe(1_000)
      expect(longestMs({ goodputBytesPerSecond: 10_000 })).toBe(13_000)
    })
  })

  it('is tried anew once as soon as its connection alone is likely to wait, and again when the server answers another', () => {
    const backedOff = { ...silence, connection: 0.8, phi: 2.5, answersElsewhere: false }
    expect(decideFreshConnection(backedOff)).toMatch(/since the link was out/)
    const again = { ...backedOff, freshTries: 1, quietMs: 3_000, phi: 4 }
    expect(decideFreshConnection(again)).toBeUndefined()
    expect(decideFreshConnection({ ...again, answersElsewhere: true })).toMatch(/answers on a new connection/)
  })
})
