import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gather, runsOf } from './collect-runs.js'
import { fit } from './fit.js'
import { readLog } from './read-log.js'

const fixture = (name: string): string => readFileSync(new URL(`testing/${name}`, import.meta.url), 'utf8')
const read = (lines: readonly string[], name: string) => readLog({ name, text: `${lines.join('\n')}\n`, sha256: '' })
const linesOf = (name: string): string[] => fixture(name).trimEnd().split('\n')
const WHOLE = linesOf('whole.ndjson')

test.each(['whole.ndjson', 'degrade.ndjson'])('%s given twice teaches what it teaches once', (name) => {
  const lines = linesOf(name)
  const [one, two] = [read(lines, 'one'), read(lines, 'two')]
  const { runs, overlaps } = gather([one, two])
  expect(runs).toEqual(runsOf([one]))
  const [overlap] = overlaps
  expect(overlap).toMatchObject({ log: 'two', earlier: 'one' })
  // the demo's script names no upload, and belongs to where it stands
  expect(overlap?.events).toBe(one.events.length)
  expect({ ...fit([one, two], 1), provenance: 0 }).toEqual({ ...fit([one], 1), provenance: 0 })
})

test('however a log was cut in two, and whichever part comes first, it is one upload', () => {
  const [sound] = runsOf([read(WHOLE, 'l')])
  fc.assert(
    fc.property(fc.nat(WHOLE.length - 1), fc.nat(30), fc.boolean(), (cut, shared, isTurned) => {
      const parts = [read(WHOLE.slice(0, cut + shared + 1), 'l'), read(WHOLE.slice(cut), 'l')]
      const { runs } = gather(isTurned ? parts.toReversed() : parts)
      const named = runs.map((run) => ({ ...run, scripts: [], outOfOrder: 0 }))
      expect(named).toEqual([{ ...sound, scripts: [], outOfOrder: 0 }])
    }),
    { numRuns: 30 },
  )
})

test('uploads of the same name that share no event are two', () => {
  const later = WHOLE.map((line) => line.replace(/"at":(\d+)/, (_, at) => `"at":${Number(at) + 1e6}`))
  expect(gather([read(WHOLE, 'one'), read(later, 'two')])).toMatchObject({ runs: [{}, {}], overlaps: [] })
})
