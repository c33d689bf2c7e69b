import fc from 'fast-check'
import type { ByteRange, RangeSet } from 'tus-reconcile-protocol'
import { BLOCK_SIZE, intersectRanges, subtractRanges, totalBytes } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { PartitionPlan } from './partition-plan.js'

/** The model knows quarters of blocks: offsets that are acknowledged lie anywhere, everything else on block boundaries. */
const CELL = BLOCK_SIZE / 4
/** Five blocks and three quarters: the last block is short. */
const CELLS = 23
const SIZE = CELLS * CELL
const STORES = ['a', 'b'] as const
const SESSIONS = ['s1', 's2', 's3', 's4'] as const

interface ModelSession {
  readonly store: string
  readonly start: number
  end: number
  acked: number
  readonly lost: Set<number>
}

/** The end of the last whole block, in cells. */
const wholeUpTo = (cell: number): number => (cell === CELLS ? cell : cell - (cell % 4))
/** The end of the block that `cell` is in. */
const blockEnd = (cell: number): number => Math.min(Math.ceil(cell / 4) * 4, CELLS)

/** What PartitionPlan documents, cell by cell. */
class Model {
  readonly verified = new Set<number>()
  readonly held = new Map<string, Set<number>>(STORES.map((store) => [store, new Set<number>()]))
  readonly live = new Map<string, ModelSession>()

  cells(isIn: (cell: number) => boolean): number[] {
    return Array.from({ length: CELLS }, (_, cell) => cell).filter(isIn)
  }

  isHeld(cell: number): boolean {
    return [...this.held.values()].some((cells) => cells.has(cell))
  }

  isPlanned(cell: number): boolean {
    return [...this.live.values()].some((s) => s.start <= cell && cell < s.end && !s.lost.has(cell))
  }

  isAcked(cell: number): boolean {
    return [...this.live.values()].some((s) => s.start <= cell && cell < s.acked && !s.lost.has(cell))
  }

  unassigned(): number[] {
    return this.cells((cell) => !this.verified.has(cell) && !this.isHeld(cell) && !this.isPlanned(cell))
  }

  acknowledged(): number[] {
    return this.cells((cell) => this.verified.has(cell) || this.isHeld(cell) || this.isAcked(cell))
  }
}

type Step = { readonly say: string; readonly run: (plan: PartitionPlan, model: Model) => void }

const blockRanges: fc.Arbitrary<{ first: number; last: number }> = fc
  .tuple(fc.nat({ max: 5 }), fc.integer({ min: 1, max: 6 }))
  .map(([block, count]) => ({ first: block * 4, last: Math.min((block + count) * 4, CELLS) }))
const session = fc.constantFrom(...SESSIONS)
const store = fc.constantFrom(...STORES)
/** Also beyond the file: what a store says is not always true. */
const cell = fc.nat({ max: CELLS + 2 })

function bytes(range: { first: number; last: number }): ByteRange {
  return { start: range.first * CELL, end: range.last * CELL }
}

function each(range: { first: number; last: number }, act: (cell: number) => void): void {
  for (let at = range.first; at < range.last; at++) act(at)
}

const add = fc.tuple(session, store, blockRanges).map(
  ([id, where, range]): Step => ({
    say: `add ${id} at ${where} ${range.first}-${range.last}`,
    run: (plan, model) => {
      // an id is used once
      if (model.live.has(id)) return
      model.live.set(id, { store: where, start: range.first, end: range.last, acked: range.first, lost: new Set() })
      plan.add({ session: id, partition: plan.nextPartitionId(), store: where, kind: 'first', ...bytes(range) })
    },
  }),
)
const acknowledge = fc.tuple(session, cell).map(
  ([id, to]): Step => ({
    say: `acknowledge ${id} to ${to}`,
    run: (plan, model) => {
      const known = model.live.get(id)
      const fresh = known ? Math.max(0, Math.min(to, CELLS) - known.acked) : 0
      if (known) {
        known.acked += fresh
        // the block that the store was in before it heard of a lowered end stays its own
        if (fresh > 0) known.end = Math.max(known.end, blockEnd(known.acked))
      }
      expect(plan.acknowledge(id, to * CELL)).toBe(fresh * CELL)
    },
  }),
)
const lowerEnd = fc.tuple(session, fc.nat({ max: 6 })).map(
  ([id, block]): Step => ({
    say: `lower the end of ${id} to ${block * 4}`,
    run: (plan, model) => {
      const known = model.live.get(id)
      if (known) known.end = Math.min(known.end, Math.max(block * 4, blockEnd(known.acked)))
      expect(plan.lowerEnd(id, block * 4 * CELL)).toBe(known && known.end * CELL)
    },
  }),
)
const end = session.map(
  (id): Step => ({
    say: `end ${id}`,
    run: (plan, model) => {
      const known = model.live.get(id)
      expect(plan.end(id)?.session).toBe(known && id)
      if (!known) return
      model.live.delete(id)
      const last = known.acked === CELLS ? CELLS : Math.floor(known.acked / 4) * 4
      each({ first: known.start, last }, (at) => known.lost.has(at) || model.held.get(known.store)?.add(at))
    },
  }),
)
const hold = fc.tuple(store, fc.array(blockRanges, { maxLength: 3 })).map(
  ([where, ranges]): Step => ({
    say: `${where} holds ${JSON.stringify(ranges)}`,
    run: (plan, model) => {
      for (const range of ranges) each(range, (at) => model.held.get(where)?.add(at))
      plan.hold(where, ranges.map(bytes))
    },
  }),
)
const verify = blockRanges.map(
  (range): Step => ({
    say: `verify ${range.first}-${range.last}`,
    run: (plan, model) => {
      let fresh = 0
      each(range, (at) => {
        if (!model.verified.has(at)) fresh += 1
        model.verified.add(at)
      })
      expect(totalBytes(plan.verify([bytes(range)]))).toBe(fresh * CELL)
    },
  }),
)
const discard = blockRanges.map(
  (range): Step => ({
    say: `discard ${range.first}-${range.last}`,
    run: (plan, model) => {
      plan.discard([bytes(range)])
      each(range, (at) => {
        model.verified.delete(at)
        for (const cells of model.held.values()) cells.delete(at)
        for (const known of model.live.values())
          if (known.start <= at && at < wholeUpTo(known.acked)) known.lost.add(at)
      })
    },
  }),
)
const forget = store.map(
  (where): Step => ({
    say: `forget ${where}`,
    run: (plan, model) => {
      const held = model.held.get(where)
      const only = model.cells((at) => held?.has(at) === true && !model.verified.has(at))
      held?.clear()
      expect(cellsOf(plan.forget(where))).toEqual(only.filter((at) => !model.isHeld(at)))
    },
  }),
)
const step = fc.oneof(
  { weight: 1, arbitrary: fc.oneof(add, lowerEnd, hold, verify, forget) },
  { weight: 1, arbitrary: fc.oneof(acknowledge, end, discard) },
)
/** Two sessions are in flight from the start: most of what can happen, happens to one. */
const steps = fc
  .tuple(add, add, acknowledge, fc.array(step, { maxLength: 30 }))
  .map(([first, second, third, more]) => [first, second, third, ...more])

function cellsOf(set: RangeSet): number[] {
  return set.flatMap(({ start, end: stop }) => {
    expect([start % CELL, stop % CELL]).toEqual([0, 0])
    return Array.from({ length: (stop - start) / CELL }, (_, i) => start / CELL + i)
  })
}

function compare(plan: PartitionPlan, model: Model): void {
  const unassigned = plan.unassigned()
  expect(cellsOf(unassigned)).toEqual(model.unassigned())
  expect(cellsOf(plan.acknowledged())).toEqual(model.acknowledged())
  expect(cellsOf(plan.verified)).toEqual(model.cells((at) => model.verified.has(at)))
  const counted = [plan.unassignedBytes, plan.acknowledgedBytes, plan.verifiedBytes]
  expect(counted).toEqual([unassigned, plan.acknowledged(), plan.verified].map(totalBytes))
  const within = { start: 5 * CELL, end: 14 * CELL }
  expect([...plan.unassignedWithin(within)]).toEqual(intersectRanges(unassigned, [within]))
  expect([...plan.unverifiedWithin(within)]).toEqual(subtractRanges([within], plan.verified))
  expect(plan.isVerified).toBe(model.verified.size === CELLS)
  for (const where of STORES) {
    const held = model.cells((at) => model.held.get(where)?.has(at) === true && !model.verified.has(at))
    expect(cellsOf(plan.heldUnverified(where))).toEqual(held)
  }
}

function compareSessions(plan: PartitionPlan, model: Model): void {
  expect(plan.sessions().map(({ session: id }) => id)).toEqual([...model.live.keys()])
  for (const planned of plan.sessions()) {
    const known = model.live.get(planned.session)
    if (!known) continue
    expect(planned).toMatchObject({ end: known.end * CELL, acked: known.acked * CELL })
    const rest = model.cells((at) => known.acked <= at && at < known.end && !model.verified.has(at))
    expect(plan.missingOf(planned)).toBe(rest.length * CELL)
    const own = model.cells((at) => known.start <= at && at < known.end)
    expect(plan.isCovered(planned)).toBe(own.every((at) => model.verified.has(at)))
  }
}

test('after any sequence of events, every byte is in exactly the states that the model says', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const plan = new PartitionPlan(SIZE)
      const model = new Model()
      for (const { run } of sequence) {
        run(plan, model)
        compare(plan, model)
        compareSessions(plan, model)
      }
    }),
    { numRuns: 300 },
  )
})

test('no byte is lost: each is unassigned, or verified, held or planned, and never both', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const plan = new PartitionPlan(SIZE)
      const model = new Model()
      for (const { run } of sequence) run(plan, model)
      const unassigned = plan.unassigned()
      const planned = plan
        .sessions()
        .flatMap(({ start, end: stop, lost }) => subtractRanges([{ start, end: stop }], lost))
      const owned = [...planned, ...STORES.flatMap((where) => plan.heldUnverified(where)), ...plan.verified]
      for (const range of owned) expect(intersectRanges(unassigned, [range])).toEqual([])
      const cells = new Set([...cellsOf(unassigned), ...owned.flatMap((range) => cellsOf([range]))])
      expect(cells.size).toBe(CELLS)
      expect(totalBytes(plan.acknowledged())).toBeLessThanOrEqual(SIZE)
      expect(intersectRanges(unassigned, plan.acknowledged())).toEqual([])
      expect(unassigned.filter(({ start }) => start % BLOCK_SIZE !== 0)).toEqual([])
    }),
    { numRuns: 300 },
  )
})

test('what was acknowledged stays so, unless it was bad, its store is given up, or its block is incomplete at the end', () => {
  const growing = fc.array(fc.oneof(add, acknowledge, acknowledge, lowerEnd, hold, verify), { maxLength: 30 })
  fc.assert(
    fc.property(growing, session, (sequence, ended) => {
      const plan = new PartitionPlan(SIZE)
      const model = new Model()
      let before = 0
      for (const { run } of sequence) {
        run(plan, model)
        const now = totalBytes(plan.acknowledged())
        expect(now).toBeGreaterThanOrEqual(before)
        before = now
      }
      plan.end(ended)
      expect(before - totalBytes(plan.acknowledged())).toBeLessThan(BLOCK_SIZE)
    }),
  )
})

test('a session that ends leaves the whole blocks that its store acknowledged, and the rest is unassigned', () => {
  const plan = new PartitionPlan(4 * BLOCK_SIZE)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: 4 * BLOCK_SIZE })
  plan.acknowledge('s', 2.5 * BLOCK_SIZE)
  plan.end('s')
  expect(plan.heldUnverified('a')).toEqual([{ start: 0, end: 2 * BLOCK_SIZE }])
  expect(plan.unassigned()).toEqual([{ start: 2 * BLOCK_SIZE, end: 4 * BLOCK_SIZE }])
})

test('bytes that were bad are not held by the store where their session ends', () => {
  const plan = new PartitionPlan(4 * BLOCK_SIZE)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: 4 * BLOCK_SIZE })
  plan.acknowledge('s', 3 * BLOCK_SIZE)
  plan.discard([{ start: BLOCK_SIZE, end: 2 * BLOCK_SIZE }])
  expect(plan.unassigned()).toEqual([{ start: BLOCK_SIZE, end: 2 * BLOCK_SIZE }])
  plan.end('s')
  expect(plan.heldUnverified('a')).toEqual([
    { start: 0, end: BLOCK_SIZE },
    { start: 2 * BLOCK_SIZE, end: 3 * BLOCK_SIZE },
  ])
})

test('of a block that is found bad while a session sends it anew, nothing is unassigned: ranges begin and end with blocks', () => {
  const plan = new PartitionPlan(2 * BLOCK_SIZE)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: 2 * BLOCK_SIZE })
  plan.acknowledge('s', BLOCK_SIZE + 1000)
  expect(plan.acknowledgedBlocks([{ start: 0, end: 2 * BLOCK_SIZE }])).toEqual([{ start: 0, end: BLOCK_SIZE }])
  plan.discard([{ start: BLOCK_SIZE, end: 2 * BLOCK_SIZE }])
  expect(plan.unassigned()).toEqual([])
})

test('the short last block counts as whole when the store has the last byte', () => {
  const size = BLOCK_SIZE + 7
  const plan = new PartitionPlan(size)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: size })
  plan.acknowledge('s', size)
  plan.end('s')
  expect(plan.heldUnverified('a')).toEqual([{ start: 0, end: size }])
})

test('an unknown session changes nothing', () => {
  const plan = new PartitionPlan(SIZE)
  expect([plan.acknowledge('x', 9), plan.lowerEnd('x', 9), plan.end('x'), plan.session('x')]).toEqual([
    0,
    undefined,
    undefined,
    undefined,
  ])
  expect(plan.unassigned()).toEqual([{ start: 0, end: SIZE }])
})

test('copies are found by the session that they copy, and partitions are numbered', () => {
  const plan = new PartitionPlan(SIZE)
  expect([plan.nextPartitionId(), plan.nextPartitionId()]).toEqual(['p1', 'p2'])
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: SIZE })
  plan.add({ session: 'c', partition: 'p1', store: 'b', kind: 'copy', of: 's', start: 0, end: SIZE })
  expect(plan.copiesOf('s').map((copy) => copy.session)).toEqual(['c'])
  expect(plan.copiesOf('c')).toEqual([])
})

test('a file without bytes is verified from the start', () => {
  const plan = new PartitionPlan(0)
  expect(plan.isVerified).toBe(true)
  expect([plan.unassigned(), plan.acknowledged()]).toEqual([[], []])
})

test('a store that says more than the file has is not believed', () => {
  const plan = new PartitionPlan(BLOCK_SIZE)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: BLOCK_SIZE })
  plan.acknowledge('s', 3 * BLOCK_SIZE)
  expect(plan.acknowledgedBytes).toBe(BLOCK_SIZE)
  plan.end('s')
  plan.discard([{ start: 0, end: BLOCK_SIZE }])
  const beyond = { start: BLOCK_SIZE, end: 3 * BLOCK_SIZE }
  plan.hold('a', [beyond])
  plan.verify([beyond])
  expect([plan.acknowledgedBytes, plan.unassignedBytes, plan.isVerified]).toEqual([0, BLOCK_SIZE, false])
})

test('bytes that a store acknowledged past a lowered end are nobody else’s to send', () => {
  const plan = new PartitionPlan(4 * BLOCK_SIZE)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: 4 * BLOCK_SIZE })
  plan.lowerEnd('s', BLOCK_SIZE)
  plan.acknowledge('s', 3 * BLOCK_SIZE)
  expect(plan.unassigned()).toEqual([{ start: 3 * BLOCK_SIZE, end: 4 * BLOCK_SIZE }])
})

test('of a block that a store took in part past a lowered end the rest is its own too: sessions begin with a block', () => {
  const plan = new PartitionPlan(4 * BLOCK_SIZE)
  plan.add({ session: 's', partition: 'p1', store: 'a', kind: 'first', start: 0, end: 4 * BLOCK_SIZE })
  plan.lowerEnd('s', BLOCK_SIZE)
  plan.acknowledge('s', BLOCK_SIZE + 4288)
  expect(plan.unassigned()).toEqual([{ start: 2 * BLOCK_SIZE, end: 4 * BLOCK_SIZE }])
  expect(plan.lowerEnd('s', BLOCK_SIZE)).toBe(2 * BLOCK_SIZE)
})

test('giving up a store returns only what no other store holds', () => {
  const plan = new PartitionPlan(BLOCK_SIZE)
  plan.hold('a', [{ start: 0, end: BLOCK_SIZE }])
  plan.hold('b', [{ start: 0, end: BLOCK_SIZE }])
  expect(plan.forget('a')).toEqual([])
})
