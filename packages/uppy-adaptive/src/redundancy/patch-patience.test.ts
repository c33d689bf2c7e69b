import { expect, it } from 'vitest'
import { estimatePatienceMs } from './patch-patience.js'

const patch = {
  ...{ sizeBytes: 30_000_000, handedBytes: 10_000_000, movingMs: 4_000, reports: 40 },
  ...{ goodputBytesPerSecond: undefined, freshTries: 0 },
}

it('a PATCH whose rhythm is known may be quiet for 1.5 s, and twice as long after each fresh connection in vain', () => {
  expect([0, 1, 2, 9].map((freshTries) => estimatePatienceMs({ ...patch, freshTries }))).toEqual([
    1_500, 3_000, 6_000, 24_000,
  ])
})

it('while buffers fill it may be quiet for as long as that took', () => {
  expect(estimatePatienceMs({ ...patch, reports: 3 })).toBe(4_000)
})

it('after its last byte it is waited for while buffers empty at the known rate, and for the answer', () => {
  const sent = { ...patch, handedBytes: patch.sizeBytes }
  expect(estimatePatienceMs({ ...sent, goodputBytesPerSecond: 1_000_000 })).toBe(1_500 + 10_000 + 5_000)
  expect(estimatePatienceMs({ ...sent, goodputBytesPerSecond: 10_000_000 })).toBe(1_500 + 1_000 + 5_000)
})
