import { expect, test } from 'vitest'
import { resolveLimits } from './limit-options.js'
import { Limits } from './limits.js'
import { PlainHolds } from './plain-holds.js'

test('an upload that takes the place of another of its name counts instead of it', () => {
  const limits = new Limits(resolveLimits({ openGroups: { client: 2 } }))
  const holds = new PlainHolds(limits)
  const keys = { client: 'ann' }
  holds.begin('same', keys)
  holds.begin('same', keys)
  holds.end('same')
  expect([limits.size, holds.ids]).toEqual([0, []])
})
