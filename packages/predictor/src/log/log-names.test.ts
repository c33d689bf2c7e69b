import { expect, test } from 'vitest'
import { namesOf } from './log-names.js'

test.each([
  [['/logs/a.ndjson'], ['a.ndjson']],
  [
    ['/logs/one/a.ndjson', '/logs/two/a.ndjson', 'b'],
    ['one/a.ndjson', 'two/a.ndjson', 'b'],
  ],
  [
    ['/one/logs/a', '/two/logs/a', '/logs/b'],
    ['one/logs/a', 'two/logs/a', 'b'],
  ],
  [
    ['/logs/a', '/a'],
    ['logs/a', 'a'],
  ],
  [
    ['C:\\one\\a', 'C:\\two\\a'],
    ['one/a', 'two/a'],
  ],
  [
    ['/logs/a', '/logs/a', '/logs/a'],
    ['a', 'a (2)', 'a (3)'],
  ],
  [[], []],
])('logs of the paths %j are called %j', (paths, names) => {
  expect(namesOf(paths)).toEqual(names)
})
