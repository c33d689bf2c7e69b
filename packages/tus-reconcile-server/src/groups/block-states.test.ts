import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { type BlockState, BlockStates } from './block-states.js'

const SIZE = 8 * BLOCK_SIZE
const index = fc.nat(7)
const name = fc.constantFrom('a', 'b', 'c')
const state = fc.oneof(
  fc.record({ kind: fc.constant('partial' as const), owner: name }),
  fc.record({ kind: fc.constantFrom('held' as const, 'verified' as const), leaf: name }),
  fc.record({ kind: fc.constant('verified' as const), leaf: name, isAttached: fc.constant(true as const) }),
)
const step = fc.record({ index, state: fc.option(state) })

test('what follows from the blocks is what a look at all of them would say, after any changes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const states = new BlockStates()
      const model = new Map<number, BlockState>()
      for (const { index: at, state: next } of steps) {
        if (next) states.set(at, next)
        else states.delete(at)
        if (next) model.set(at, next)
        else model.delete(at)
      }
      const all = [...model]
      for (const owner of ['a', 'b', 'c']) {
        const begun = all.filter(([, each]) => each.kind === 'partial' && each.owner === owner).map(([at]) => at)
        expect(states.begunBy(owner).sort()).toEqual(begun.sort())
      }
      const begun = all.flatMap(([at, each]) => (each.kind === 'partial' ? [[at, each.owner]] : []))
      expect(states.owners().sort()).toEqual(begun.sort())
      const verified = all.flatMap(([at, each]) => (each.kind === 'verified' ? [at] : []))
      const blocks = states
        .verifiedRanges(SIZE)
        .flatMap(({ start, end }) =>
          Array.from({ length: (end - start) / BLOCK_SIZE }, (_, i) => start / BLOCK_SIZE + i),
        )
      expect(blocks).toEqual(verified.sort())
      for (const leaf of ['a', 'b', 'c']) {
        const place = states.placeOf(leaf)
        if (place !== undefined) expect(model.get(place)).toMatchObject({ kind: 'verified', leaf })
      }
    }),
  )
})

test('a copy that was recorded step by step is the same', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [states, copy] = [new BlockStates(), new BlockStates()]
      for (const { index: at, state: next } of steps) {
        if (next) states.set(at, next)
        else states.delete(at)
        for (const [changed, record] of states.takeChanges()) {
          if (record) copy.restore(changed, record)
          else copy.delete(changed)
        }
      }
      const states8 = (each: BlockStates) => Array.from({ length: 8 }, (_, at) => each.get(at))
      const factsOf = (each: BlockStates) => [each.owners().sort(), each.verifiedRanges(SIZE), states8(each)]
      expect(factsOf(copy)).toEqual(factsOf(states))
    }),
  )
})
