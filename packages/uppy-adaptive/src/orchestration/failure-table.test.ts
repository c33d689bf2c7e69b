import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { FailureRule } from './failure-table.js'
import { FAILURES, ruleOfFault, ruleOfStatus } from './failure-table.js'

const DOCUMENT = readFileSync(new URL('../../../../docs/failures.md', import.meta.url), 'utf8')

function nameOf({ on, retryAfter }: FailureRule): string {
  const names = on.map((trigger) => (typeof trigger === 'object' ? `${trigger[0]}–${trigger[1]}` : String(trigger)))
  const suffix = retryAfter === undefined ? '' : retryAfter ? ' with `Retry-After`' : ' without `Retry-After`'
  return names.join(', ') + suffix
}

test('docs/failures.md has every row of the table, as it is', () => {
  const rows = FAILURES.map((rule) =>
    [
      nameOf(rule),
      rule.meaning,
      rule.arrived,
      rule.next,
      rule.tells,
      rule.elsewhere,
      rule.isWaitedFor ? 'yes' : 'no',
    ].join(' | '),
  )
  const shown = DOCUMENT.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim())
    return cells.length === 9 && !/^-+$/.test(cells[1] ?? '') ? [cells.slice(1, -1).join(' | ')] : []
  })
  expect(shown.slice(1)).toEqual(rows)
})

test('every status from 300 on has a rule, with and without Retry-After', () => {
  for (let status = 300; status < 600; status++) {
    expect(ruleOfStatus(status, false).meaning).not.toBe('')
    expect(ruleOfStatus(status, true).meaning).not.toBe('')
  }
  expect(() => ruleOfStatus(204)).toThrow('204 is no failure')
})

test.each([
  [401, 'denied'],
  [403, 'denied'],
  [400, 'refused'],
  [404, 'over'],
  [412, 'refused'],
  [451, 'refused'],
  [460, 'cut'],
  [500, 'cut'],
  [501, 'refused'],
  [502, 'cut'],
  [504, 'cut'],
  [507, 'full'],
  [520, 'cut'],
  [524, 'cut'],
  [599, 'cut'],
])('%i is %s: an exact row goes before a range', (status, kind) => {
  expect(ruleOfStatus(status).kind).toBe(kind)
})

test('no row hides another', () => {
  for (const rule of FAILURES)
    for (const trigger of rule.on) {
      if (typeof trigger === 'string') expect(ruleOfFault(trigger)).toBe(rule)
      if (typeof trigger === 'number') expect(ruleOfStatus(trigger, rule.retryAfter)).toBe(rule)
    }
})

test('a server is waited for exactly where the rest may still go to it', () => {
  for (const { isWaitedFor, elsewhere } of FAILURES) expect(isWaitedFor).toBe(elsewhere === 'if it lasts')
})
