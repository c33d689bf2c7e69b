/** A rate that is in force from `atMs` on, until the next step. 0 bytes per second is an outage. */
export type RateStep = { readonly atMs: number; readonly bytesPerSecond: number }

/**
 * A piecewise constant rate over time: steps in rising order of `atMs`. Before the first step the rate is 0, after the
 * last one its rate stays. What `atMs` counts from is said by whoever holds the schedule.
 */
export type RateSchedule = readonly RateStep[]

/** What `Infinity` is stored as: sums and differences stay finite. A guess that no loopback comes near. */
export const unlimitedBytesPerSecond = 1e12

/**
 * Validates a rate given as one number (from time 0 on) or as steps. `Infinity` becomes `unlimitedBytesPerSecond`.
 *
 * @throws RangeError for a negative rate, NaN, no steps at all, or steps out of order; quotes the value
 */
export function parseRate(rate: number | RateSchedule, name: string): RateSchedule {
  const steps = typeof rate === 'number' ? [{ atMs: 0, bytesPerSecond: rate }] : rate
  if (steps.length === 0) throw new RangeError(`${name}: a schedule needs at least one step`)
  let previousMs = Number.NEGATIVE_INFINITY
  return steps.map(({ atMs, bytesPerSecond }) => {
    if (!(bytesPerSecond >= 0))
      throw new RangeError(`${name}: bytesPerSecond must be at least 0, not ${bytesPerSecond}`)
    if (!(atMs > previousMs)) throw new RangeError(`${name}: atMs must rise from step to step, but ${atMs} does not`)
    previousMs = atMs
    return { atMs, bytesPerSecond: Math.min(bytesPerSecond, unlimitedBytesPerSecond) }
  })
}

/** The rate in force at an instant, bytes per second. */
export function rateAt(schedule: RateSchedule, atMs: number): number {
  return schedule[indexAt(schedule, atMs)]?.bytesPerSecond ?? 0
}

/** The instant of the next step after `afterMs`, or `Infinity`. */
export function nextStepMs(schedule: RateSchedule, afterMs: number): number {
  return schedule[indexAt(schedule, afterMs) + 1]?.atMs ?? Number.POSITIVE_INFINITY
}

/** How many bytes (a fraction, not rounded) the schedule lets through in `[fromMs, toMs)`. */
export function bytesBetween(schedule: RateSchedule, fromMs: number, toMs: number): number {
  let bytes = 0
  for (let atMs = fromMs; atMs < toMs; ) {
    const endMs = Math.min(toMs, nextStepMs(schedule, atMs))
    bytes += (rateAt(schedule, atMs) * (endMs - atMs)) / 1000
    atMs = endMs
  }
  return bytes
}

/** The earliest instant, from `fromMs` on, by which `bytes` have got through; `Infinity` when they never will. */
export function timeOfBytes(schedule: RateSchedule, fromMs: number, bytes: number): number {
  let leftBytes = bytes
  let atMs = fromMs
  while (leftBytes > 0) {
    const rate = rateAt(schedule, atMs)
    const endMs = nextStepMs(schedule, atMs)
    const doneMs = rate > 0 ? atMs + (leftBytes * 1000) / rate : Number.POSITIVE_INFINITY
    if (doneMs <= endMs) return doneMs
    leftBytes -= (rate * (endMs - atMs)) / 1000
    atMs = endMs
  }
  return atMs
}

/** Several schedules as one: at every instant `combine` of the rates then in force. All must count from one instant. */
export function combineSchedules(
  schedules: readonly RateSchedule[],
  combine: (rates: number[]) => number,
): RateSchedule {
  const instants = [...new Set(schedules.flatMap((schedule) => schedule.map((step) => step.atMs)))].sort(
    (a, b) => a - b,
  )
  return mergeEqualSteps(
    instants.map((atMs) => ({ atMs, bytesPerSecond: combine(schedules.map((schedule) => rateAt(schedule, atMs))) })),
  )
}

/**
 * The same schedule, counted from a later (or earlier) instant: the result's 0 is the given schedule's `originMs`. Its
 * first step is at 0 then, and what was over before is dropped.
 */
export function rebaseSchedule(schedule: RateSchedule, originMs: number): RateSchedule {
  const later = schedule.filter((step) => step.atMs > originMs)
  const first = { atMs: 0, bytesPerSecond: rateAt(schedule, originMs) }
  return [first, ...later.map((step) => ({ ...step, atMs: step.atMs - originMs }))]
}

/** Drops steps that change nothing; of several at one instant the last counts. */
export function mergeEqualSteps(steps: readonly RateStep[]): RateStep[] {
  const merged: RateStep[] = []
  for (const step of steps) {
    if (merged.at(-1)?.atMs === step.atMs) merged.pop()
    if (merged.at(-1)?.bytesPerSecond !== step.bytesPerSecond) merged.push(step)
  }
  return merged
}

/** Index of the step in force at an instant, -1 before the first. */
function indexAt(schedule: RateSchedule, atMs: number): number {
  let low = 0
  let high = schedule.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((schedule[middle]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) low = middle + 1
    else high = middle
  }
  return low - 1
}
