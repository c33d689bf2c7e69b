import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runsOf } from './collect-runs.js'
import { evaluate } from './evaluate.js'
import { explainRun } from './explain.js'
import { fit } from './fit.js'
import { parseModel } from './model-file.js'
import { readLog } from './read-log.js'

const fixture = (name: string): string => readFileSync(new URL(`testing/${name}`, import.meta.url), 'utf8')
const read = (text: string, name = 'a.ndjson') => readLog({ name, text, sha256: 'ab' })
const DEGRADE = fixture('degrade.ndjson')
const LINES = DEGRADE.trimEnd().split('\n')

test('every line of a real log is either used or known to be of no use', () => {
  const { report } = read(DEGRADE)
  expect(report).toMatchObject({ lines: LINES.length, refused: [] })
  expect(report.used + report.unused).toBe(LINES.length)
  expect(report.used).toBeGreaterThan(150)
})

test('a last line that was being written is counted as truncated, and the rest is used', () => {
  const { report, events } = read(fixture('cut-short.ndjson'))
  expect(report.refused).toEqual([{ reason: 'truncated', count: 1, firstLine: 120, why: 'ends in the middle' }])
  expect(events.length).toBe(report.used)
})

test("a server's log tells of sessions, and its other lines are of no use", () => {
  const { report, events } = read(fixture('servers.ndjson'))
  expect(report.refused).toEqual([])
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['atServer']))
})

test.each([
  ['Nov 22 kernel: oom', 'notJson', 'is no JSON object'],
  ['[1,2]', 'notJson', 'is no JSON object'],
  ['{"hello":"world"}', 'foreign', 'is JSON, but no event of an upload'],
  ['{"type":"constructor","at":1,"elapsedMs":1}', 'foreign', 'is JSON, but no event of an upload'],
  ['{"type":"paused","at":1,"elapsedMs":NaN}', 'notJson', 'is no JSON object'],
  ['{"type":"paused","at":1,"elapsedMs":null}', 'damaged', 'paused: elapsedMs is null'],
  ['{"type":"paused","at":1,"elapsedMs":-5}', 'damaged', 'paused: elapsedMs is -5'],
  ['{"type":"paused","at":1,"elapsedMs":9007199254740991}', 'damaged', 'paused: elapsedMs is 9007199254740991'],
  ['{"type":"paused","at":1,"elapsedMs":1e999}', 'damaged', 'paused: elapsedMs is Infinity'],
  ['{"type":"localPause","at":1,"elapsedMs":1}', 'damaged', 'localPause: gapMs is missing'],
  [
    `{"type":"localPause","at":1,"elapsedMs":1,"gapMs":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
    'damaged',
    'localPause: gapMs is a list of 1',
  ],
])('the line %.80s is counted as %s, and the report says why', (line, reason, why) => {
  const { report, events } = read(`${line}\n{"type":"resumed","at":1,"elapsedMs":2}\n`)
  expect(report.refused).toEqual([{ reason, count: 1, firstLine: 1, why }])
  expect(events).toHaveLength(1)
})

test('a range that ends before it starts is damaged', () => {
  const session = LINES.find((line) => line.startsWith('{"type":"session"')) ?? ''
  const { report } = read(`${session.replace(/"end":\d+/, '"end":1').replace(/"start":\d+/, '"start":2')}\n`)
  expect(report.refused[0]?.why).toBe('session: end is 1')
})

test('repeated lines count once, and are told', () => {
  const { report } = read(`${DEGRADE}${DEGRADE}`)
  expect(report.refused).toMatchObject([{ reason: 'repeated', count: LINES.length, firstLine: LINES.length + 1 }])
  expect(runsOf([read(`${DEGRADE}${DEGRADE}`)])).toEqual(runsOf([read(DEGRADE)]))
})

test('events out of order are put back in their place, and counted', () => {
  const first = LINES.findIndex((line) => line.startsWith('{"type":"acked"'))
  const second = LINES.findIndex((line, index) => index > first && line.startsWith('{"type":"acked"'))
  const swapped = LINES.with(first, LINES[second] ?? '').with(second, LINES[first] ?? '')
  const [run] = runsOf([read(`${swapped.join('\n')}\n`)])
  const [sound] = runsOf([read(DEGRADE)])
  expect(run?.outOfOrder).toBe(1)
  expect(run?.decisions).toEqual(sound?.decisions)
})

test('two uploads that follow each other in one log are two', () => {
  const runs = runsOf([read(`${DEGRADE}${fixture('cut-short.ndjson')}`)])
  expect(runs.map(({ id }) => id)).toEqual(['FLY7FCnG7CH-bueAAp85ww', 'faj08IazRvUaFXrtIZyYlw'])
})

test('what became of sessions after their log stops is taken from the log of their servers', () => {
  const cut = read(fixture('cut-short.ndjson'), 'cut')
  const open = (logs: Parameters<typeof runsOf>[0]) =>
    runsOf(logs).flatMap(({ sessions }) => [...sessions.values()].filter(({ ending }) => ending === 'unknown'))
  expect(open([cut]).length).toBeGreaterThan(0)
  expect(open([cut, read(fixture('servers.ndjson'), 'servers')])).toEqual([])
})

/** What may happen to a file: lines lost, cut, written twice, changed places with, or with a number gone wrong. */
const damage = fc.array(
  fc.record({
    how: fc.constantFrom('drop', 'cut', 'repeat', 'swap', 'number'),
    line: fc.nat(LINES.length - 1),
    at: fc.nat(400),
    value: fc.constantFrom('-1', '0', '1e308', 'null', '"x"', '9007199254740991', 'NaN'),
  }),
  { minLength: 1, maxLength: 12 },
)

function damaged(steps: typeof damage extends fc.Arbitrary<infer T> ? T : never): string {
  const lines = [...LINES]
  for (const { how, line, at, value } of steps) {
    const old = lines[line] ?? ''
    if (how === 'drop') lines.splice(line, 1)
    else if (how === 'cut') lines[line] = old.slice(0, at)
    else if (how === 'repeat') lines.splice(line, 0, old)
    else if (how === 'swap') [lines[line], lines[0]] = [lines[0] ?? '', old]
    else
      lines[line] = old.replace(/:(-?\d[\d.]*)/g, (whole, _digits, offset: number) =>
        offset > at ? `:${value}` : whole,
      )
  }
  return `${lines.join('\n')}\n`
}

test('whatever happens to lines, nothing throws and no figure is poisoned', () => {
  fc.assert(
    fc.property(damage, (steps) => {
      const log = read(damaged(steps))
      const runs = runsOf([log])
      const model = fit([log], 1)
      expect(parseModel(JSON.stringify(model))).toEqual(model)
      const figures = JSON.stringify([evaluate(runs), runs.map(explainRun)])
      expect(figures).not.toMatch(/NaN|Infinity/)
      for (const { auc, brier, calibrationError } of evaluate(runs).metrics) {
        for (const value of [auc, brier, calibrationError]) {
          if (value !== undefined) expect(value >= 0 && value <= 1).toBe(true)
        }
      }
    }),
    { numRuns: 60 },
  )
})

test('one line that is lost or twice there changes what is learned by little', () => {
  const sound = fit([read(DEGRADE)], 1)
  fc.assert(
    fc.property(fc.nat(LINES.length - 1), fc.boolean(), (line, twice) => {
      const lines = LINES.toSpliced(line, twice ? 0 : 1, ...(twice ? [LINES[line] ?? ''] : []))
      const { gaps } = fit([read(`${lines.join('\n')}\n`)], 1)
      expect(Math.abs(gaps.meanLog - sound.gaps.meanLog)).toBeLessThan(0.2)
    }),
    { numRuns: 60 },
  )
})
