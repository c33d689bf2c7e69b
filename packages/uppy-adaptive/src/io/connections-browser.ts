import type { ConnectionLimits } from '../orchestration/ports.js'

/** Browsers open no more of them to one host (measured: the seventh request waits). */
const HTTP1_CONNECTIONS = 6

/** Origins whose last answer came by HTTP/2 or 3. */
const multiplexed = new Set<string>()
let observer: PerformanceObserver | undefined

/**
 * What answers show of their servers' protocols: across origins where these send `Timing-Allow-Origin`. Observed from now
 * on, as the page's own list of requests takes no more when it is full (250 of them, images and all).
 */
export function openConnections(): ConnectionLimits {
  if (!observer) {
    observer = new PerformanceObserver((list) => note(list.getEntries()))
    observer.observe({ type: 'resource', buffered: true })
  }
  return {
    most: (endpoint) => (isMultiplexed(endpoint) ? Number.POSITIVE_INFINITY : HTTP1_CONNECTIONS),
    areMultiplexed: isMultiplexed,
  }
}

function isMultiplexed(endpoint: string): boolean {
  return multiplexed.has(new URL(endpoint).origin)
}

function note(entries: PerformanceEntryList): void {
  for (const entry of entries) {
    const protocol = 'nextHopProtocol' in entry ? String(entry.nextHopProtocol) : ''
    if (protocol === '') continue
    const { origin } = new URL(entry.name)
    if (/^h[23]/.test(protocol)) multiplexed.add(origin)
    else multiplexed.delete(origin)
  }
}
