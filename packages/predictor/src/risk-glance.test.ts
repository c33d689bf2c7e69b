import { expect, test } from 'vitest'
import { RiskModel } from './risk.js'

test('a glance between ticks teaches nothing', () => {
  const [asked, unasked] = [new RiskModel(), new RiskModel()]
  for (const model of [asked, unasked]) {
    for (const session of ['a', 'b']) model.sessionStarted({ nowMs: 0, session, store: session, rangeBytes: 1e6 })
    for (let nowMs = 50; nowMs <= 3_000; nowMs += 50) {
      if (nowMs % 100 === 0) model.acknowledged({ nowMs, session: 'a', bytes: 10_000 })
      if (nowMs === 500) model.acknowledged({ nowMs, session: 'b', bytes: 10_000 })
      if (nowMs % 250 === 0) {
        model.tick({ nowMs })
        model.assess({ nowMs, session: 'a', remainingBytes: 7e5 })
      } else if (model === asked) {
        for (const session of ['a', 'b']) model.assess({ nowMs, session, remainingBytes: 10, isGlance: true })
      }
    }
    model.sessionEnded({ nowMs: 3_000, session: 'a', outcome: 'completed' })
    model.sessionEnded({ nowMs: 3_000, session: 'b', outcome: 'takenOver' })
  }
  expect(JSON.stringify(asked)).toBe(JSON.stringify(unasked))
})
