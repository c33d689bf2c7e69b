import { expect } from 'vitest'
import { RiskModel } from '../risk.js'
import type { RiskAssessment } from '../risk-assessment.js'

export interface Flow {
  bytes: number
  everyMs: number
  phaseMs?: number
}
export const STEADY: Flow = { bytes: 60_000, everyMs: 100 }

/** Plays sessions named after their stores against a model, in steps of 10 ms. */
export class Play {
  readonly model = new RiskModel()
  nowMs = 5_000

  start(...stores: string[]): this {
    const { nowMs } = this
    for (const store of stores) this.model.sessionStarted({ nowMs, session: store, store, rangeBytes: 3e7 })
    return this
  }

  run(forMs: number, flows: Record<string, Flow>, each: () => void = () => {}): this {
    for (const untilMs = this.nowMs + forMs; this.nowMs < untilMs; ) {
      this.nowMs += 10
      for (const [session, { bytes, everyMs, phaseMs = 0 }] of Object.entries(flows)) {
        if ((this.nowMs - phaseMs) % everyMs === 0) this.model.acknowledged({ nowMs: this.nowMs, session, bytes })
      }
      if (this.nowMs % 250 === 0) this.model.tick({ nowMs: this.nowMs })
      each()
    }
    return this
  }

  of(session: string): RiskAssessment {
    return this.model.assess({ nowMs: this.nowMs, session, remainingBytes: 5e6 })
  }

  serverBelow(limit: number, ...sessions: string[]): () => void {
    return () => {
      if (this.nowMs % 50 !== 0) return
      for (const session of sessions) expect(this.of(session).server, `${session} at ${this.nowMs}`).toBeLessThan(limit)
    }
  }
}

export const ALL: Record<'a' | 'b' | 'c', Flow> = {
  a: STEADY,
  b: { ...STEADY, phaseMs: 30 },
  c: { ...STEADY, phaseMs: 70 },
}
/** Three stores, five seconds into steady sessions. */
export const three = (): Play => new Play().start('a', 'b', 'c').run(5_000, ALL)
