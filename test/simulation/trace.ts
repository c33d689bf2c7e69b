import type { LoggedEvent } from '../../packages/uppy-adaptive/src/orchestration/log/event-log.js'
import type { Scenario } from './scenario.js'

/** What a run is made of, for people. */
export function* describeScenario(scenario: Scenario): Generator<string> {
  const { seed, sizeBytes, servers, routes, lastMileBytesPerSecond, faults, options } = scenario
  const queue = `queue ${Math.round(scenario.lastMileQueueMs ?? 0)} ms`
  yield `seed ${seed}: ${sizeBytes} bytes, ${servers} server(s), last mile ${rate(lastMileBytesPerSecond)}, ${queue}`
  for (const [i, route] of routes.entries())
    yield `  route ${i} to s${route.server}: ${rate(route.upBytesPerSecond)}, ${route.delayMs.toFixed(0)} ms one way`
  yield `  expiry ${Math.round(scenario.expireMs)} ms, commit ${Math.round(scenario.commitMs)} ms, options ${JSON.stringify(options)}`
  for (const { kind, atMs, forMs, server, route, share, count } of faults)
    yield `  ${Math.round(atMs)} ms: ${kind} for ${Math.round(forMs)} ms (server ${server}, route ${route}, share ${share.toFixed(2)}, count ${count})`
}

/** One line; undefined for what comes too often to be read. */
export function describeEvent(event: LoggedEvent): string | undefined {
  if (event.type === 'sample' || event.type === 'acked' || event.type === 'progress') return undefined
  const { type, at: _at, elapsedMs: _elapsedMs, ...facts } = event
  const text = Object.entries(facts)
    .filter(([, value]) => typeof value !== 'function')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
  return `${type} ${text.join(' ')}`
}

function rate(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1000).toFixed(0)} kB/s`
}
