import fc from 'fast-check'
import type { FailureKind } from 'upload-predictor'
import { expect, test } from 'vitest'
import { backoffMs, decideNextStep, failureOf, type NextStep, type RuleContext } from './failure-rules.js'
import type { AttemptOutcome } from './ports.js'

const FRESH: RuleContext = { fruitless: 0, hasAlternative: false, uniform: 1 }
const URL = 'https://up.example.com/files/1'
const cut: AttemptOutcome = { kind: 'cut', cause: new Error('ECONNRESET') }
const mismatch = (offset: number | undefined, reachedEnd = false): AttemptOutcome => ({
  kind: 'mismatch',
  offset,
  url: URL,
  reachedEnd,
})
const wait = (retryAfterMs: number | undefined): AttemptOutcome => ({ kind: 'wait', status: 503, retryAfterMs })

type Row = [situation: string, AttemptOutcome, Partial<RuleContext>, NextStep]

test.each<Row>([
  ['accepted', { kind: 'accepted', offset: 5, url: URL }, {}, { kind: 'goOn' }],
  ['aborted by us', { kind: 'aborted' }, {}, { kind: 'look' }],
  ['aborted by us, after failures', { kind: 'aborted' }, { fruitless: 9, hasAlternative: true }, { kind: 'look' }],
  ['409 with the offset', mismatch(7), {}, { kind: 'goOn' }],
  ['409 at the planned end', mismatch(7, true), {}, { kind: 'goOn' }],
  ['409 at the planned end, without saying where that is', mismatch(undefined, true), {}, { kind: 'look' }],
  ['409 without an offset', mismatch(undefined), {}, { kind: 'look' }],
  [
    '409 without an offset, again',
    mismatch(undefined),
    { fruitless: 1 },
    { kind: 'wait', delayMs: 500, next: 'look', cause: '409 without an offset' },
  ],
  [
    'superseded',
    { kind: 'over', state: 'superseded', status: 410 },
    {},
    { kind: 'end', end: { kind: 'over', state: 'superseded' } },
  ],
  [
    '413 with a smaller body',
    { kind: 'tooLarge', limit: { maxAppendSize: 9 } },
    {},
    { kind: 'shrink', limit: { maxAppendSize: 9 } },
  ],
  ['413 without a word', { kind: 'tooLarge', limit: {} }, {}, { kind: 'shrink', limit: {} }],
  [
    '507',
    { kind: 'full' },
    {},
    {
      kind: 'end',
      end: { kind: 'failed', cause: '507: the server has no room', code: 'full', failure: 'serverError', status: 507 },
    },
  ],
  [
    'refused',
    { kind: 'refused', status: 403, message: 'not yours' },
    {},
    {
      kind: 'end',
      end: { kind: 'failed', cause: '403: not yours', code: 'refused', failure: 'configuration', status: 403 },
    },
  ],
  ['503 with Retry-After', wait(4_000), {}, { kind: 'wait', delayMs: 4_000, next: 'look', cause: '503' }],
  ['503 with Retry-After 0', wait(0), {}, { kind: 'wait', delayMs: 0, next: 'look', cause: '503' }],
  ['503 without Retry-After', wait(undefined), {}, { kind: 'wait', delayMs: 250, next: 'look', cause: '503' }],
  ['503 for the second time', wait(9), { fruitless: 1 }, { kind: 'wait', delayMs: 9, next: 'look', cause: '503' }],
  [
    '503 again, and another store is there',
    wait(4_000),
    { fruitless: 2, hasAlternative: true },
    { kind: 'end', end: { kind: 'failed', cause: '503', code: 'network', failure: 'load' } },
  ],
  ['cut', cut, {}, { kind: 'look' }],
  ['cut, and another store is there', cut, { hasAlternative: true }, { kind: 'look' }],
  ['cut again', cut, { fruitless: 1 }, { kind: 'wait', delayMs: 500, next: 'look', cause: 'ECONNRESET' }],
  [
    'cut for the third time, and another store is there',
    cut,
    { fruitless: 2, hasAlternative: true },
    { kind: 'end', end: { kind: 'failed', cause: 'ECONNRESET', code: 'network', failure: 'connection' } },
  ],
  [
    'cut ever so often, and no other store is there',
    cut,
    { fruitless: 99 },
    { kind: 'wait', delayMs: 10_000, next: 'look', cause: 'ECONNRESET' },
  ],
])('%s', (_situation, outcome, context, step) => {
  expect(decideNextStep(outcome, { ...FRESH, ...context })).toEqual(step)
})

const cutBy = (failure: FailureKind): AttemptOutcome => ({ ...cut, failure })

test.each<[situation: string, AttemptOutcome, FailureKind]>([
  ['a connection that broke may be the link', cut, 'connection'],
  ['nobody answered in time', cutBy('timeout'), 'timeout'],
  ['a 5xx is the server’s own word', cutBy('serverError'), 'serverError'],
  ['503 with Retry-After is load', wait(4_000), 'load'],
  ['503 without, as of a proxy before a dead server, is none', wait(undefined), 'serverError'],
  ['429 is load in any case', { kind: 'wait', status: 429, retryAfterMs: undefined }, 'load'],
  ['423 waits for another request of ours', { kind: 'wait', status: 423, retryAfterMs: undefined }, 'configuration'],
  ['507 is the server’s', { kind: 'full' }, 'serverError'],
  ['409 for ever is the server’s', mismatch(undefined), 'serverError'],
  ['4xx is configuration', { kind: 'refused', status: 403, message: '' }, 'configuration'],
  ['413 is configuration', { kind: 'tooLarge', limit: {} }, 'configuration'],
])('what it says of the server: %s', (_situation, outcome, failure) => {
  expect(failureOf(outcome)).toBe(failure)
})

test('the server is always asked what it has before anything is sent again', () => {
  const unsure = fc.constantFrom(cut, wait(undefined), wait(10), mismatch(undefined), { kind: 'aborted' } as const)
  fc.assert(
    fc.property(unsure, fc.nat({ max: 20 }), fc.boolean(), (outcome, fruitless, hasAlternative) => {
      const step = decideNextStep(outcome, { fruitless, hasAlternative, uniform: 0.5 })
      expect(step.kind === 'end' || step.kind === 'look' || (step.kind === 'wait' && step.next === 'look')).toBe(true)
    }),
  )
})

test('waits double from a quarter of a second to ten seconds, and chance halves them at most', () => {
  const longest = Array.from({ length: 9 }, (_, fruitless) => backoffMs({ fruitless, uniform: 1 }))
  expect(longest).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (fruitless, uniform) => {
      const most = backoffMs({ fruitless, uniform: 1 })
      const delay = backoffMs({ fruitless, uniform })
      expect(delay >= most / 2 && delay <= most).toBe(true)
    }),
  )
})

test('413 with a largest size of a whole file is the end: no smaller body helps', () => {
  expect(decideNextStep({ kind: 'tooLarge', limit: { maxSize: 1_000 } }, FRESH).kind).toBe('end')
})

test('a server that answers 409 with the same offset for ever is not asked without a pause', () => {
  expect(decideNextStep(mismatch(0), { ...FRESH, fruitless: 5 }).kind).toBe('wait')
})
