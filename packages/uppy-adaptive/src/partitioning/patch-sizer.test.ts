import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PatchInput } from './patch-sizer.js'
import { decidePatchSize, hostRuleOf } from './patch-sizer.js'

const MIB = 1024 * 1024
const healthy: PatchInput = {
  remainingBytes: 1_000 * MIB,
  goodputBytesPerSecond: 10 * MIB,
  requestRttMs: 40,
  meanTimeBetweenFailuresMs: 3_600_000,
  lostShare: 0.02,
  mostBytes: Number.POSITIVE_INFINITY,
  chunkSize: undefined,
  host: undefined,
}

describe('the size of a PATCH', () => {
  it('is the whole rest on a healthy path', () => {
    expect(decidePatchSize(healthy)).toEqual({ sizeBytes: 1_000 * MIB, windowMs: 120_000, reason: 'rest' })
  })

  it('takes no longer than 120 s at what the path carries', () => {
    const size = decidePatchSize({ ...healthy, remainingBytes: 100_000 * MIB })
    expect(size).toMatchObject({ sizeBytes: 1_200 * MIB, reason: 'window' })
  })

  it('falls with the time between failures where the server keeps nothing of what breaks off', () => {
    const fragile = { ...healthy, lostShare: 1 }
    const sizes = [3_600_000, 60_000, 10_000].map(
      (meanTimeBetweenFailuresMs) => decidePatchSize({ ...fragile, meanTimeBetweenFailuresMs }).sizeBytes,
    )
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a))
    expect(sizes[2]).toBeLessThan(21 * MIB)
  })

  it('is bounded while nothing is known of the path, the more where nothing would be kept', () => {
    const unknown = { ...healthy, goodputBytesPerSecond: undefined }
    expect(decidePatchSize(unknown)).toMatchObject({ sizeBytes: 64 * MIB, reason: 'initial' })
    expect(decidePatchSize({ ...unknown, lostShare: 1 }).sizeBytes).toBe(4 * MIB)
  })

  it("follows the application's chunkSize and the host's rule, and a limit that was found before both", () => {
    expect(decidePatchSize({ ...healthy, chunkSize: 3 * MIB })).toMatchObject({ sizeBytes: 3 * MIB, reason: 'option' })
    expect(decidePatchSize({ ...healthy, chunkSize: 3 * MIB, mostBytes: MIB })).toMatchObject({
      sizeBytes: MIB,
      reason: 'limit',
    })
    const supabase = hostRuleOf('https://x.supabase.co/storage/v1/upload/resumable')
    expect(decidePatchSize({ ...healthy, host: supabase })).toMatchObject({ sizeBytes: 6 * MIB, reason: 'host' })
    expect(decidePatchSize({ ...healthy, mostBytes: MIB })).toMatchObject({ sizeBytes: MIB, reason: 'limit' })
  })

  it.each([
    ['https://files-abc-ew.a.run.app/files', 32 * MIB],
    ['https://abc123.execute-api.eu-west-1.amazonaws.com/files', 10_000_000],
  ])('is at most what is known of %s', (endpoint, maxBytes) => {
    const host = hostRuleOf(endpoint)
    expect(decidePatchSize({ ...healthy, host })).toMatchObject({ sizeBytes: maxBytes, reason: 'host' })
    expect(decidePatchSize({ ...healthy, host, remainingBytes: 1_000 }).sizeBytes).toBe(1_000)
  })

  it.each(['https://run.app.example.com/files', 'https://api.cloudflare.com/files', 'https://up.example.com/stream'])(
    'is not bounded by the name of %s',
    (endpoint) => expect(hostRuleOf(endpoint)).toBeUndefined(),
  )

  it('is what Cloudflare Stream takes: 5 to 200 MiB in multiples of 256 KiB', () => {
    const host = hostRuleOf('https://api.cloudflare.com/client/v4/accounts/1/stream')
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 1, max: 1e9 }),
        (goodputBytesPerSecond, mostBytes) => {
          const { sizeBytes } = decidePatchSize({ ...healthy, host, goodputBytesPerSecond, mostBytes })
          expect(sizeBytes).toBeLessThanOrEqual(Math.max(mostBytes, 5 * MIB))
          expect(sizeBytes % (256 * 1024)).toBe(0)
          expect(sizeBytes).toBeGreaterThanOrEqual(5 * MIB)
          expect(sizeBytes).toBeLessThanOrEqual(200 * MIB)
        },
      ),
    )
  })

  it('is never empty and never more than the rest or the limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.option(fc.double({ min: 0, max: 1e10, noNaN: true }), { nil: undefined }),
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (remainingBytes, goodputBytesPerSecond, mostBytes, lostShare) => {
          const given = { ...healthy, remainingBytes, goodputBytesPerSecond, mostBytes, lostShare }
          const { sizeBytes } = decidePatchSize(given)
          expect(sizeBytes).toBeGreaterThan(0)
          expect(sizeBytes).toBeLessThanOrEqual(Math.min(remainingBytes, mostBytes))
        },
      ),
    )
  })
})
