import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteRun } from './byte-run.js'

test('a slice has the bytes that it would have if the pieces were one', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 6 })
  const at = fc.nat({ max: 32 })
  fc.assert(
    fc.property(pieces, at, at, (parts, from, to) => {
      const joined = Buffer.concat(parts)
      const slice = new ByteRun(parts).slice(from, to)
      expect(Buffer.concat(slice.pieces)).toEqual(joined.subarray(from, Math.max(from, to)))
      expect(slice.length).toBe(Buffer.concat(slice.pieces).length)
    }),
  )
})
