import { expect, test } from 'vitest'
import { textLog } from './text-log.js'

function lineOf(entry: object): string {
  let text = ''
  textLog((line) => {
    text += line
  }).write(JSON.stringify({ level: 30, time: 0, msg: 'request', ...entry }))
  return text
}

test('a line has its day, level and message, then what belongs to it', () => {
  expect(lineOf({ path: '/files', status: 201 })).toBe('1970-01-01T00:00:00.000Z info request path=/files status=201\n')
})

test('a value with blanks, quotes or line ends is quoted, so that it is no other fact and no other line', () => {
  expect(lineOf({ reason: 'no\nlevel=50' })).toBe('1970-01-01T00:00:00.000Z info request reason="no\\nlevel=50"\n')
  expect(lineOf({ reason: 'a "b"', empty: '' })).toContain('reason="a \\"b\\"" empty=""\n')
})
