import { expect, test } from 'vitest'
import { priorityOfType, windowFactor } from './priority.js'

test.each([
  ['image/jpeg', 'high'],
  ['image/svg+xml', 'high'],
  ['text/plain', 'high'],
  ['text/csv;charset=utf-8', 'high'],
  ['video/mp4', 'bulk'],
  ['application/zip', 'bulk'],
  ['application/gzip', 'bulk'],
  ['application/x-tar', 'bulk'],
  ['application/x-7z-compressed', 'bulk'],
  ['application/x-iso9660-image', 'bulk'],
  ['application/pdf', 'normal'],
  ['application/zipper', 'normal'],
  ['application/x-image/png', 'normal'],
  ['audio/mpeg', 'normal'],
  ['', 'normal'],
  [undefined, 'normal'],
])('a file of type %s has priority %s', (type, priority) => {
  expect(priorityOfType(type)).toBe(priority)
})

test('what somebody waits for gets shorter partitions than usual, what is stored gets longer ones', () => {
  expect(windowFactor('high')).toBeLessThan(windowFactor('normal'))
  expect(windowFactor('bulk')).toBeGreaterThan(windowFactor('normal'))
  expect(windowFactor('normal')).toBe(1)
})
