import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesBetween } from '../support/links/rate-schedule.js'
import { TokenBucket } from '../support/links/token-bucket.js'
import { anySchedule } from './any-schedule.js'

const constant = (bytesPerSecond: number) => [{ atMs: 0, bytesPerSecond }]

test('passes the burst at once and then the rate', () => {
  const bucket = new TokenBucket(constant(1_000_000), 500)
  expect(bucket.tokens).toBe(20_000)
  bucket.take(20_000)
  expect(bucket.readyAtMs(5000)).toBe(505)
  bucket.refill(503)
  expect(bucket.tokens).toBe(3000)
})

test('never passes more than its rate and one burst, whatever is asked when', () => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(300), bytes: fc.integer({ min: 1, max: 20_000 }) }))
  fc.assert(
    fc.property(anySchedule, asks, (schedule, all) => {
      const bucket = new TokenBucket(schedule, 0)
      let nowMs = 0
      let passedBytes = 0
      for (const { afterMs, bytes } of all) {
        nowMs += afterMs
        bucket.refill(nowMs)
        if (bucket.tokens < bytes) continue
        bucket.take(bytes)
        passedBytes += bytes
        // no schedule here has a rate whose 20 ms are more than the least burst
        expect(passedBytes).toBeLessThanOrEqual(bytesBetween(schedule, 0, nowMs) + 4096 + 1)
      }
    }),
  )
})

test('is empty in an outage, and says when that ends', () => {
  const bucket = new TokenBucket(
    [...constant(100_000), { atMs: 100, bytesPerSecond: 0 }, { atMs: 900, bytesPerSecond: 1000 }],
    0,
  )
  bucket.refill(200)
  expect(bucket.tokens).toBe(0)
  expect(bucket.readyAtMs(100)).toBe(1000)
})

test('makes good what the caller was late, once', () => {
  const bucket = new TokenBucket(constant(1_000_000), 0)
  bucket.take(20_000)
  bucket.refill(100, 90)
  expect(bucket.tokens).toBe(100_000)
  bucket.refill(1000)
  expect(bucket.tokens).toBe(20_000)
})

test('a lower rate takes the old burst away', () => {
  const bucket = new TokenBucket(constant(10_000_000), 0)
  bucket.setSchedule(constant(1000), 10)
  expect(bucket.tokens).toBe(4096)
})
