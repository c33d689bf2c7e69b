import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Refusal } from '../groups/refusal.js'
import { type LimitKeys, Quota, type ScopeLimits } from './quota.js'
import { TokenBuckets } from './token-buckets.js'

const NONE = { client: Number.POSITIVE_INFINITY, group: Number.POSITIVE_INFINITY, address: Number.POSITIVE_INFINITY }
const quota = (most: Partial<ScopeLimits>) =>
  new Quota({ what: 'too many', retryAfterS: 7, most: { ...NONE, ...most } })

function refusalOf(run: () => unknown): Refusal {
  try {
    run()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('nothing was refused')
}

test('each scope has a limit of its own, and what is released can be held again', () => {
  const bodies = quota({ client: 2, address: 3 })
  const a = bodies.hold({ client: 'a', address: 'x' })
  bodies.hold({ client: 'a', address: 'x' })
  expect(refusalOf(() => bodies.hold({ client: 'a', address: 'x' })).code).toBe('too-many')
  const b = bodies.hold({ client: 'b', address: 'x' })
  const refused = refusalOf(() => bodies.hold({ client: 'c', address: 'x' }))
  expect([refused.message, refused.headers]).toEqual(['too many: try again later', { 'Retry-After': '7' }])
  bodies.hold({ client: 'c', address: 'y' })
  b.release()
  b.release()
  bodies.hold({ client: 'd', address: 'x' })
  a.release()
  expect(() => bodies.hold({ client: 'a' })).not.toThrow()
})

test('a refusal changes nothing, and neither says who else is there nor how many', () => {
  const bytes = quota({ client: 10, address: 5 })
  const mine = bytes.hold({ client: 'me', address: 'shared' }, 3)
  bytes.hold({ client: 'other', address: 'shared' }, 2)
  const refused = refusalOf(() => mine.grow(1))
  expect(refused.message).not.toMatch(/other|shared|address|\d/)
  expect(() => bytes.hold({ client: 'me', address: 'elsewhere' }, 5)).not.toThrow()
  expect(refusalOf(() => bytes.hold({ address: 'shared' }, 0)).code).toBe('too-many')
})

test('who holds nothing, or is not limited, takes no memory', () => {
  const bodies = quota({ client: 5 })
  const holds = Array.from({ length: 1000 }, (_, i) =>
    bodies.hold({ client: `c${i}`, group: `g${i}`, address: `a${i}` }),
  )
  expect(bodies.size).toBe(1000)
  for (const hold of holds) hold.release()
  expect(bodies.size).toBe(0)
})

test('whatever comes and goes, nobody holds more than the limit, and the sums are right', () => {
  const step = fc.record({
    client: fc.constantFrom('a', 'b'),
    amount: fc.integer({ min: 1, max: 4 }),
    release: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bytes = quota({ client: 10 })
      const held: Record<string, { amount: number; release(): void }[]> = { a: [], b: [] }
      for (const { client, amount, release } of steps) {
        const own = held[client] ?? []
        const sum = own.reduce((total, each) => total + each.amount, 0)
        if (release) own.pop()?.release()
        else if (sum + amount > 10) expect(() => bytes.hold({ client }, amount)).toThrow(Refusal)
        else own.push({ amount, release: bytes.hold({ client }, amount).release })
      }
    }),
  )
})

test('a bucket lets a burst through, then its rate, and says how long to wait', () => {
  const buckets = new TokenBuckets({ what: 'too many operations', perSecond: { ...NONE, client: 2 } })
  const me: LimitKeys = { client: 'me', group: 'g', address: 'x' }
  for (let i = 0; i < 4; i++) buckets.take(me, 0)
  expect(refusalOf(() => buckets.take(me, 0)).headers).toEqual({ 'Retry-After': '1' })
  expect(() => buckets.take({ ...me, client: 'other' }, 0)).not.toThrow()
  buckets.take(me, 500)
  expect(refusalOf(() => buckets.take(me, 500)).code).toBe('too-many')
  for (let i = 0; i < 4; i++) buckets.take(me, 60_000)
  expect(() => buckets.take(me, 60_000)).toThrow(Refusal)
  // a clock that goes back gives nothing and takes nothing
  expect(() => buckets.take(me, 0)).toThrow(Refusal)
})

test('the buckets of the least recent are forgotten: strangers with made-up names fill no memory', () => {
  const buckets = new TokenBuckets({ what: 'too many', perSecond: { ...NONE, client: 1 } }, 100)
  for (let i = 0; i < 10_000; i++) buckets.take({ client: `made-up-${i}` }, 0)
  expect(buckets.size).toBe(100)
  const slow = new TokenBuckets({ what: 'too many', perSecond: { ...NONE, client: 1, address: 5 } })
  for (let i = 0; i < 10; i++) slow.take({ client: `made-up-${i}`, address: 'x' }, 0)
  expect(() => slow.take({ client: 'another', address: 'x' }, 0)).toThrow(Refusal)
})
