import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RiskModel } from 'upload-predictor'
import { spreadOf } from '../figures.js'

export interface Cost {
  /** Microseconds, with three sessions in flight at three stores. */
  readonly acknowledgedUs: number
  readonly tickUs: number
  readonly assessUs: number
  /** With two hundred sessions at three stores. */
  readonly bytesPerSession: number
}

const ROUNDS = 50_000
/** More would take long: a sign of life costs the square of the sessions in flight. */
const SESSIONS = 200
const STORES = ['a', 'b', 'c']

export function measureCost(): Cost {
  return { ...measureTime(), bytesPerSession: measureMemory() }
}

function measureTime(): Omit<Cost, 'bytesPerSession'> {
  const model = new RiskModel()
  for (const store of STORES)
    model.sessionStarted({ nowMs: 0, session: store, store, rangeBytes: 1e12, plannedMs: 1e9 })
  let nowMs = 0
  const took = { acknowledged: [0], tick: [0], assess: [0] }
  const timed = (what: keyof typeof took, run: () => void) => {
    const began = performance.now()
    run()
    took[what].push(performance.now() - began)
  }
  // the first round warms up
  for (const rounds of [ROUNDS / 5, ROUNDS]) {
    for (const list of Object.values(took)) list.length = 0
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
  // the median: other load interrupts some
  const us = (list: readonly number[], calls: number) => (1_000 * spreadOf(list).median) / calls
  return {
    acknowledgedUs: us(took.acknowledged, 10),
    tickUs: us(took.tick, 1),
    assessUs: us(took.assess, STORES.length),
  }
}

function measureMemory(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const model = new RiskModel()
  for (const store of STORES) model.sessionStarted({ nowMs: 0, session: store, store, rangeBytes: 1e9 })
  const used = () => {
    // twice: what the first frees may have kept others
    collect()
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
