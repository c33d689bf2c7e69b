import type { CommitAnswer } from 'tus-reconcile-protocol'
import { totalBytes } from 'tus-reconcile-protocol'
import type { EventLog } from '../log/event-log.js'

/** Logs what the home says on the way to its file: each change, not each answer. */
export class CommitSteps {
  readonly #log: EventLog
  #last = ''

  constructor(log: EventLog) {
    this.#log = log
  }

  note(answer: CommitAnswer): void {
    if (answer.state === 'pulling') this.#emit('pulling', answer.missingBytes, 'it pulls blocks still')
    if (answer.state !== 'incomplete') return
    const badBytes = totalBytes(answer.bad)
    const reason = badBytes > 0 ? `${badBytes} bytes are not what was claimed` : 'it lacks blocks'
    this.#emit('incomplete', totalBytes(answer.missing), reason)
  }

  noteFailure({ message }: Error): void {
    this.#emit('none', null, message)
  }

  #emit(state: 'pulling' | 'incomplete' | 'none', missingBytes: number | null, reason: string): void {
    const key = `${state} ${reason}`
    if (key === this.#last) return
    this.#last = key
    this.#log.emit({ type: 'commitAnswer', state, missingBytes, reason })
  }
}
