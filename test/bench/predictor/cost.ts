import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RiskModel } from 'upload-predictor'

export interface Cost {
  /** Microseconds, with three sessions in flight at three stores. */
  readonly acknowledgedUs: number
  readonly tickUs: number
  readonly assessUs: number
  /** With a thousand sessions at three stores. */
  readonly bytesPerSession: number
}

const ROUNDS = 50_000
const SESSIONS = 1_000
const STORES = ['a', 'b', 'c']

export function measureCost(): Cost {
  return { ...measureTime(), bytesPerSession: measureMemory() }
}

function measureTime(): Omit<Cost, 'bytesPerSession'> {
  const model = new RiskModel()
  for (const store of STORES) model.sessionStarted({ nowMs: 0, session: store, store, rangeBytes: 1e12 })
  let nowMs = 0
  const sum = { acknowledged: 0, tick: 0, assess: 0 }
  const timed = (what: keyof typeof sum, run: () => void) => {
    const began = performance.now()
    run()
    sum[what] += performance.now() - began
  }
  // the first round warms up
  for (const rounds of [ROUNDS / 5, ROUNDS]) {
    sum.acknowledged = sum.tick = sum.assess = 0
    for (let round = 0; round < rounds; round += 10) {
      timed('acknowledged', () => {
        for (let at = 0; at < 10; at++) {
          nowMs += 33
          model.acknowledged({ nowMs, session: STORES[at % 3] ?? 'a', bytes: 20_000 })
        }
      })
      timed('tick', () => model.tick({ nowMs }))
      timed('assess', () => {
        for (const session of STORES) model.assess({ nowMs, session, remainingBytes: 5e6 })
      })
    }
  }
  const us = (ms: number, calls: number) => (1_000 * ms) / calls
  return {
    acknowledgedUs: us(sum.acknowledged, ROUNDS),
    tickUs: us(sum.tick, ROUNDS / 10),
    assessUs: us(sum.assess, (3 * ROUNDS) / 10),
  }
}

function measureMemory(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const model = new RiskModel()
  for (const store of STORES) model.sessionStarted({ nowMs: 0, session: store, store, rangeBytes: 1e9 })
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = used()
  for (let at = 0; at < SESSIONS; at++) {
    const session = `s${at}`
    model.sessionStarted({ nowMs: at, session, store: STORES[at % 3] ?? 'a', rangeBytes: 1e9 })
    model.acknowledged({ nowMs: at, session, bytes: 20_000 })
  }
  const grown = used() - before
  // still in use, so not collected
  model.tick({ nowMs: SESSIONS })
  return grown / SESSIONS
}
