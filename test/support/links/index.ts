export { estimateIdealMs, type FluidUpload } from './fluid-oracle.js'
export { type KernelSockets, loadKernelSockets } from './kernel-sockets.js'
export { LastMile, type LastMileOptions } from './last-mile.js'
export { type Link, type LinkState, openLink } from './link.js'
export { isUploadBody, type LinkCounters } from './link-counters.js'
export type { LinkOptions, LinkSettings } from './link-options.js'
export {
  combineSchedules,
  type RateSchedule,
  type RateStep,
  rebaseSchedule,
  unlimitedBytesPerSecond,
} from './rate-schedule.js'
export type { Rates } from './rated-path.js'
export { type ObservedRequest, RequestObserver, type RequestObserverEvents } from './request-observer.js'
export { seededRandom } from './seeded-random.js'
export type { TlsOptions } from './tls-front.js'
export { parseTrace, scheduleOfTrace, type Trace, type TraceSegment } from './trace.js'
