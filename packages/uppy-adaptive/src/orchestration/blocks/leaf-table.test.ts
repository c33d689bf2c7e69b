import fc from 'fast-check'
import { DIGEST_BYTES } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { LeafTable } from './leaf-table.js'

const leafOf = (value: number) => new Uint8Array(DIGEST_BYTES).fill(value)

test('it holds what a map of leaves holds, whatever is set and deleted', () => {
  const step = fc.record({
    index: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 4_090, max: 4_100 }), fc.nat({ max: 100_000 })),
    value: fc.option(fc.nat({ max: 255 })),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const [table, map] = [new LeafTable(), new Map<number, Uint8Array>()]
      for (const { index, value } of steps) {
        if (value === null) {
          table.delete(index)
          map.delete(index)
        } else {
          table.set(index, leafOf(value))
          map.set(index, leafOf(value))
        }
        for (const { index: any } of steps) {
          expect(table.has(any)).toBe(map.has(any))
          expect(table.get(any)).toEqual(map.get(any))
        }
      }
    }),
  )
})

test('a hundred thousand leaves take little more than their bytes', () => {
  const buffers = new Set<ArrayBufferLike>()
  const table = new LeafTable()
  for (let index = 0; index < 100_000; index++) table.set(index, leafOf(index % 256))
  for (let index = 0; index < 100_000; index++) buffers.add(table.get(index)?.buffer ?? new ArrayBuffer(0))
  const bytes = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
  expect(buffers.size).toBe(25)
  expect(bytes).toBeLessThan(1.05 * 100_000 * DIGEST_BYTES)
})
