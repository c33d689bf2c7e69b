import type { EventLog } from '../log/event-log.js'
import type { LoggedModel } from '../model/logged-model.js'
import type { PredictorMemory } from '../model/predictor-memory.js'
import type { Clock, Page } from '../ports.js'
import type { PauseGate } from '../waiting/pause-gate.js'
import type { Rests } from '../waiting/rests.js'

interface PageLifeParts {
  readonly page: Page
  readonly clock: Clock
  readonly gate: PauseGate
  readonly log: EventLog
  readonly model: LoggedModel
  readonly memory: PredictorMemory
  readonly rests: Rests
  readonly stopAll: () => Promise<void>
}

/** What an upload does when its page sleeps and wakes, is left, or is online again. */
export class PageLife {
  readonly #parts: PageLifeParts

  constructor(parts: PageLifeParts) {
    this.#parts = parts
  }

  /** The returned function ends it. */
  watch(): () => void {
    const { page, clock, gate, log, memory, rests, stopAll } = this.#parts
    let asleepSinceMs: number | undefined
    // who starts it is awake
    gate.open('page')
    return page.watch({
      onLeave: () => void memory.save(),
      onOnline: () => rests.endAll(),
      onSleep: (reason) => {
        asleepSinceMs ??= clock.now()
        gate.close('page')
        log.emit({ type: 'asleep', reason })
        void stopAll()
      },
      onWake: () => {
        if (asleepSinceMs === undefined) return
        this.#wake(clock.now() - asleepSinceMs)
        asleepSinceMs = undefined
      },
    })
  }

  /** Nobody's fault: no clock counts the time that nothing ran. */
  #wake(gapMs: number): void {
    const { clock, gate, log, model } = this.#parts
    const nowMs = clock.now()
    log.emit({ type: 'awake', gapMs }, nowMs)
    model.localPause({ nowMs, gapMs })
    gate.open('page')
  }
}
