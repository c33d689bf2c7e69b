import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryLocker, type Server } from '@tus/server'
import { pino } from 'pino'
import { EXPOSED_HEADERS, REQUEST_HEADERS } from 'tus-reconcile-protocol'
import { REQUEST_ID } from './handlers/exchange/request-log.js'
import type { Site } from './handlers/exchange/site.js'
import { mountRoutes } from './handlers/mount.js'
import { mountConcatenation } from './handlers/plain/concatenation-only.js'
import type { Metrics } from './metrics/metrics.js'
import { createParts } from './parts.js'
import { QueueLocker } from './plain/queue-locker.js'
import { privateLog } from './private-log.js'
import { type Health, type ReconcileExtension, type ReconcileOptions, refuseUnknown } from './reconcile-options.js'
import { start } from './start.js'
import { RangeStore } from './store/range-store.js'

/** Votes stay this many times as long as an upload without a byte: by then no store has the upload any more. */
const VOTES_KEPT = 4

/** How long a running body may still bring the rest of its block (guess: a block at 1 Mbit/s). */
const DRAIN_MS = 3000

/**
 * Mounts the extension on a @tus/server whose datastore is a RangeStore. On any other datastore that has `read(id)` it
 * brings concatenation by copying, and announces nothing else.
 */
export function reconcile(server: Server, options: ReconcileOptions = {}): ReconcileExtension {
  refuseUnknown(options)
  const { datastore } = server
  if (!(datastore instanceof RangeStore)) {
    return mountConcatenation(server, options, privateLog(options.logger ?? pino({ level: 'silent' })))
  }
  const parts = createParts(datastore, options)
  const { groups, plain, log, network } = parts
  const site = start(server, parts)
  site.catch(() => parts.lock.release())
  prepareOptions(server, parts.metrics)
  mountRoutes(server, site, { verifier: network.verifier, plain })
  const cleanUp = async (): Promise<number> => {
    await site
    await network.forgetVotes(VOTES_KEPT * parts.expireMs)
    // the disk may need what the one gives free, whatever keeps the other from it
    const [grouped, single] = await Promise.allSettled([groups.expire(parts.expireMs), plain.deleteExpired()])
    if (grouped.status === 'rejected') throw grouped.reason
    if (single.status === 'rejected') throw single.reason
    return grouped.value + single.value
  }
  const timer = setInterval(
    () => void cleanUp().catch((err) => log.error({ err }, 'clean-up failed')),
    parts.bounds.cleanUpIntervalMs,
  )
  timer.unref()
  return {
    ready: site.then(({ storeId }) => ({ storeId })),
    cleanUp,
    health: healthOf(site, parts.draining.signal),
    metrics: async () => ({ contentType: parts.metrics.contentType, text: await parts.metrics.text() }),
    drain: async () => {
      parts.draining.abort()
      await site.catch(() => {})
      await Promise.race([groups.drain(), sleep(DRAIN_MS, undefined, { ref: false })])
    },
    close: async () => {
      clearInterval(timer)
      parts.draining.abort()
      parts.closing.abort()
      await site.catch(() => {})
      parts.offsets.close()
      parts.pace.close()
      parts.load.close()
      await network.close()
      await groups.close()
      await parts.index.close()
      await parts.lock.release()
    },
  }
}

function healthOf(site: Promise<Site>, draining: AbortSignal): () => Health {
  let started: Health = { state: 'starting' }
  site.then(
    ({ storeId }) => {
      started = { state: 'ready', storeId }
    },
    () => {
      started = { state: 'failed' }
    },
  )
  return () => (draining.aborted && started.state !== 'failed' ? { ...started, state: 'draining' } : started)
}

/** Our headers join the user's; a locker that does not spin takes the place of the built-in one. */
function prepareOptions(server: Server, metrics: Metrics): void {
  const { options } = server
  options.allowedHeaders = [...(options.allowedHeaders ?? []), ...REQUEST_HEADERS, REQUEST_ID]
  options.exposedHeaders = [...(options.exposedHeaders ?? []), ...EXPOSED_HEADERS, REQUEST_ID]
  if (options.locker instanceof MemoryLocker) {
    options.locker = new QueueLocker((seconds) => metrics.waitedForLock(seconds))
  }
}
