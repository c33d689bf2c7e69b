import { expect, test } from 'vitest'
import { Answering } from './answering.js'

function answers(...at: readonly (readonly [nowMs: number, tookMs: number])[]): Answering {
  const answering = new Answering()
  for (const [nowMs, tookMs] of at) answering.note({ nowMs, askedMs: nowMs - tookMs, rtoMs: 0 })
  return answering
}

test('answers that follow each other count from the first question to the last answer', () => {
  expect(answers([1_000, 100], [2_500, 100], [4_000, 100]).forMs(0)).toBe(3_100)
})

test('only what lies within the time that is asked about counts', () => {
  const answering = answers([1_000, 100], [2_500, 100])
  expect([answering.forMs(2_000), answering.forMs(2_500), answering.forMs(9_000)]).toEqual([500, 0, 0])
})

test('a pause begins anew', () => {
  expect(answers([1_000, 100], [2_501, 100]).forMs(0)).toBe(100)
})

test('an answer that was held up begins anew where it arrives: before it the link was dark, perhaps', () => {
  const answering = answers([1_000, 100], [2_000, 501], [2_400, 100])
  expect([answering.forMs(0), answering.slowestMs]).toEqual([400, 100])
})

test('where answers usually take longer, they may', () => {
  const answering = answers([1_000, 100])
  answering.note({ nowMs: 2_000, askedMs: 1_100, rtoMs: 900 })
  expect([answering.forMs(0), answering.slowestMs]).toEqual([1_100, 900])
})

test('a lost question begins anew', () => {
  const answering = answers([1_000, 100], [1_500, 100])
  answering.lost()
  expect(answering.forMs(0)).toBe(0)
  answering.note({ nowMs: 1_600, askedMs: 1_550, rtoMs: 0 })
  expect(answering.forMs(0)).toBe(50)
})

test('before any answer there is none', () => {
  expect(new Answering().forMs(0)).toBe(0)
})
