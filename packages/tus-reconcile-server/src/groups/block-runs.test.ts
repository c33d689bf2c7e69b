import fc from 'fast-check'
import { BLOCK_SIZE, rangesOfBlocks } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { BlockRuns } from './block-runs.js'

const steps = fc.array(fc.record({ index: fc.nat({ max: 30 }), adds: fc.boolean() }), { maxLength: 200 })

test('after any additions and deletions the runs are those of the blocks that are left', () => {
  fc.assert(
    fc.property(steps, (history) => {
      const runs = new BlockRuns()
      const blocks = new Set<number>()
      for (const { index, adds } of history) {
        if (adds) blocks.add(index)
        else blocks.delete(index)
        if (adds) runs.add(index)
        else runs.delete(index)
        expect(runs.ranges(Number.POSITIVE_INFINITY)).toEqual(rangesOfBlocks(blocks, Number.POSITIVE_INFINITY))
      }
    }),
  )
})

test('the last block ends with the file, and blocks behind its end count for nothing', () => {
  const runs = new BlockRuns()
  for (const index of [0, 1, 2, 5]) runs.add(index)
  expect(runs.ranges(2 * BLOCK_SIZE + 7)).toEqual([{ start: 0, end: 2 * BLOCK_SIZE + 7 }])
})
