import { mergeEqualSteps, type RateSchedule, type RateStep, rateAt } from './rate-schedule.js'

/** One stretch of time during which neither the schedule nor the switch was touched. */
type Epoch = { readonly fromMs: number; readonly schedule: RateSchedule; readonly isOpen: boolean }

/**
 * What rate was really in force, as piecewise constant steps: the schedule while the path was open, 0 while it was not.
 * Times are ms since the path's start, as the schedule's own; they are handed in and must not fall.
 */
export class RateHistory {
  readonly #epochs: Epoch[]

  constructor(schedule: RateSchedule) {
    this.#epochs = [{ fromMs: 0, schedule, isOpen: true }]
  }

  setSchedule(schedule: RateSchedule, atMs: number): void {
    this.#begin({ fromMs: atMs, schedule, isOpen: this.#last.isOpen })
  }

  setOpen(isOpen: boolean, atMs: number): void {
    if (isOpen !== this.#last.isOpen) this.#begin({ fromMs: atMs, schedule: this.#last.schedule, isOpen })
  }

  /** The steps up to `untilMs`; what the schedule has for later is left out, for it may yet be changed. */
  stepsUntil(untilMs: number): RateStep[] {
    return mergeEqualSteps(
      this.#epochs.flatMap((epoch, index) => stepsOf(epoch, this.#epochs[index + 1]?.fromMs ?? untilMs)),
    )
  }

  get #last(): Epoch {
    return this.#epochs.at(-1) ?? { fromMs: 0, schedule: [], isOpen: true }
  }

  #begin(epoch: Epoch): void {
    this.#epochs.push(epoch)
  }
}

function stepsOf({ fromMs, schedule, isOpen }: Epoch, toMs: number): RateStep[] {
  if (!isOpen) return [{ atMs: fromMs, bytesPerSecond: 0 }]
  const inside = schedule.filter((step) => step.atMs > fromMs && step.atMs < toMs)
  return [{ atMs: fromMs, bytesPerSecond: rateAt(schedule, fromMs) }, ...inside]
}
