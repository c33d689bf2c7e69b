import { expect, test } from 'vitest'
import { decideQuarantineMs } from './quarantine.js'

test('the first suspicion costs nothing beyond its end, each further one twice the one before, up to a minute', () => {
  const all = Array.from({ length: 10 }, (_, i) => decideQuarantineMs(i + 1))
  expect(all).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  expect(decideQuarantineMs(5_000)).toBe(60_000)
})
