import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Priority } from '../../partitioning/priority.js'
import type { PoolMember } from './session-pool.js'
import { SessionPool } from './session-pool.js'

class Upload implements PoolMember {
  readonly priority: Priority
  readonly max: number
  readonly counts = new Map<string, number>()
  called = 0

  constructor(priority: Priority = 'normal', max = 6) {
    this.priority = priority
    this.max = max
  }

  sessions(): ReadonlyMap<string, number> {
    return this.counts
  }

  onRoom(): void {
    this.called += 1
  }
}

const node = { host: 'a', connections: Number.POSITIVE_INFINITY }
const browser = { host: 'a', connections: 6 }

function joined(...uploads: Upload[]): SessionPool {
  const pool = new SessionPool()
  for (const upload of uploads) pool.join(upload)
  return pool
}

test('all uploads of a page together keep within the limit', () => {
  const [one, two] = [new Upload(), new Upload()]
  const pool = joined(one, two)
  one.counts.set('a', 4)
  two.counts.set('b', 1)
  expect([pool.room(one, node), pool.room(two, node)]).toEqual([1, 1])
})

test('in a browser bodies leave connections for each event stream and for claims, and always one for a body', () => {
  const one = new Upload()
  expect(joined(one).room(one, browser)).toBe(4)
  expect(joined(one, new Upload(), new Upload()).room(one, browser)).toBe(2)
  const many = Array.from({ length: 8 }, () => new Upload())
  expect(joined(one, ...many).room(one, browser)).toBe(1)
})

test('while an upload waits others have no more than their share, by priority', () => {
  const [high, bulk] = [new Upload('high'), new Upload('bulk')]
  const pool = joined(high, bulk)
  expect(pool.room(bulk, node)).toBe(6)
  pool.note(high, true)
  expect([pool.room(high, node), pool.room(bulk, node)]).toEqual([6, 1])
  bulk.counts.set('a', 1)
  expect(pool.room(bulk, node)).toBe(0)
  pool.note(high, false)
  expect(pool.room(bulk, node)).toBe(5)
})

test('who waits is called when another has less, or is gone', () => {
  const [one, two] = [new Upload(), new Upload()]
  const pool = joined(one, two)
  one.counts.set('a', 6)
  pool.note(one, false)
  pool.note(two, true)
  expect(two.called).toBe(0)
  one.counts.set('a', 5)
  pool.note(one, false)
  expect(two.called).toBe(1)
  pool.leave(one)
  expect(two.called).toBe(2)
})

test('whoever asks first, the limit holds and nobody is kept from a first session while there is room', () => {
  const upload = fc.record({
    priority: fc.constantFrom<Priority>('high', 'normal', 'bulk'),
    wants: fc.integer({ min: 1, max: 12 }),
  })
  fc.assert(
    fc.property(fc.array(upload, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 12 }), (given, max) => {
      const uploads = given.map(({ priority }) => new Upload(priority, max))
      const pool = joined(...uploads)
      for (const [i, { wants }] of given.entries()) {
        const one = uploads[i]
        if (!one) continue
        const begun = Math.min(wants, pool.room(one, node))
        one.counts.set('a', begun)
        pool.note(one, begun === 0)
      }
      const total = uploads.reduce((sum, one) => sum + (one.counts.get('a') ?? 0), 0)
      expect(total).toBeLessThanOrEqual(Math.min(max, 8))
      expect(total).toBeGreaterThan(0)
    }),
  )
})
