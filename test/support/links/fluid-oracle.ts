import { combineSchedules, type RateSchedule, timeOfBytes } from './rate-schedule.js'

/** What the ideal sender had. All schedules count from the instant at which the upload started. */
export type FluidUpload = {
  readonly sizeBytes: number
  /** Both ways, of the fastest path; charged once before the first byte and half for the last acknowledgement. */
  readonly roundTripMs: number
  /** What all paths have in common; left out: no common bottleneck. */
  readonly lastMile?: RateSchedule
  /** One per path that the sender had; 0 = outage. */
  readonly paths: readonly RateSchedule[]
}

/**
 * The earliest time, in ms after its start, at which a sender that wastes nothing could have had `sizeBytes`
 * acknowledged. It is a bound from below, not a prediction: nobody who sends each byte once can be faster.
 *
 *     T = t* + RTT / 2,  t* the smallest with  integral from RTT to t* of min(lastMile(t), sum of path_i(t)) dt = size
 *
 * The fluid model has no slow start, no headers and knows every outage beforehand. A path's rate per connection does
 * not enter: the ideal sender opens as many connections as it needs.
 *
 * @returns ms; `Infinity` when the schedules never let that many bytes through
 */
export function estimateIdealMs({ sizeBytes, roundTripMs, lastMile, paths }: FluidUpload): number {
  const allPaths = combineSchedules(paths, (rates) => rates.reduce((sum, rate) => sum + rate, 0))
  const usable =
    lastMile === undefined ? allPaths : combineSchedules([lastMile, allPaths], (rates) => Math.min(...rates))
  return timeOfBytes(usable, roundTripMs, sizeBytes) + roundTripMs / 2
}
