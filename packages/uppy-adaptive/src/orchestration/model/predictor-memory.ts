import type { Priors } from 'upload-predictor'
import * as v from 'valibot'
import { readStored } from '../kept/stored-json.js'
import type { EventLog } from '../log/event-log.js'
import type { Clock, JournalStorage } from '../ports.js'
import { toError } from '../upload-error.js'
import type { LoggedModel } from './logged-model.js'

/** Beside the journal's entries, `uploads` and `upload:…`. */
const KEY = 'predictor'
/** The model keeps 32 stores at most, half a kilobyte each: anything longer is none of ours. */
const LONGEST_TEXT = 256 * 1024
/** While an upload runs, what it has learned is kept this often (guess: what a crash may lose). */
const SAVE_INTERVAL_MS = 5_000

/** What is kept: `state` is the model's own, of Store-Ids and figures; `savedAt` by the wall clock, ms since 1970. */
const Entry = v.object({ version: v.literal(1), savedAt: v.number(), state: v.unknown() })

/** A model's state, not looked at yet, and how long ago it was kept. */
export interface Remembered {
  readonly state: unknown
  readonly ageMs: number
}

interface MemoryParts {
  readonly clock: Clock
  readonly storage: JournalStorage | undefined
  readonly log: EventLog
  readonly model: LoggedModel
  readonly priors: Priors | undefined
}

/**
 * What predictions learned, from one upload to the next and over reloads. Of two pages or processes that keep it in the
 * same place the last one wins: figures are lost, and nothing else. The upload does not depend on it: a storage that
 * fails is a warning.
 */
export class PredictorMemory {
  readonly #parts: MemoryParts
  #hasRecalled = false
  #isWarned = false

  constructor(parts: MemoryParts) {
    this.#parts = parts
  }

  /** Lets the model start from what is remembered, once: a second start of the upload goes on with what it has. */
  async recall(): Promise<void> {
    if (this.#hasRecalled) return
    const { clock, storage, model, priors } = this.#parts
    let text: string | undefined
    try {
      text = await storage?.get(KEY)
    } catch (error) {
      this.#warn(error)
    }
    const entry = readStored(Entry, text, { longestText: LONGEST_TEXT })
    const remembered = entry && { state: entry.state, ageMs: Math.max(0, clock.epochMs() - entry.savedAt) }
    model.recall({ nowMs: clock.now(), remembered, priors })
    this.#hasRecalled = true
  }

  /** Asks the storage at once, in this turn: a page that is being left has no other. Never throws. */
  async save(): Promise<void> {
    const { clock, storage, model } = this.#parts
    if (!storage || !this.#hasRecalled) return
    try {
      const entry = { version: 1, savedAt: clock.epochMs(), state: model.toJSON() }
      await storage.set(KEY, JSON.stringify(entry))
    } catch (error) {
      this.#warn(error)
    }
  }

  /** Saves each 5 s, and once more when the returned function ends it. */
  keep(): () => Promise<void> {
    const { clock, storage } = this.#parts
    let cancel = () => {}
    const again = () => {
      cancel = clock.after(SAVE_INTERVAL_MS, () => {
        void this.save()
        again()
      })
    }
    if (storage) again()
    return () => {
      cancel()
      return this.save()
    }
  }

  #warn(error: unknown): void {
    if (this.#isWarned) return
    this.#isWarned = true
    const message = `what predictions learn is not kept (${toError(error).message}): name another place as predictor.memory, or false`
    this.#parts.log.emit({ type: 'warning', code: 'memory-failed', message })
  }
}
