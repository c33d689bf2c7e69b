import fc from 'fast-check'
import type { RateSchedule } from '../support/links/index.js'

/** Up to six steps within five seconds, from time 0 on; outages are frequent. */
export const anySchedule: fc.Arbitrary<RateSchedule> = fc
  .uniqueArray(fc.integer({ min: 1, max: 5000 }), { maxLength: 5 })
  .chain((instants) =>
    fc
      .array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100_000 })), { minLength: 6, maxLength: 6 })
      .map((rates) =>
        [0, ...instants.sort((a, b) => a - b)].map((atMs, index) => ({ atMs, bytesPerSecond: rates[index] ?? 0 })),
      ),
  )
