import { type DataStore, MemoryLocker, type Server } from '@tus/server'
import type { Logger } from 'pino'
import { heardByMany } from '../../heard-by-many.js'
import { resolveBounds } from '../../limits/bounds.js'
import { Limits } from '../../limits/limits.js'
import { PlainHolds } from '../../limits/plain-holds.js'
import { LoadMonitor } from '../../load/load-monitor.js'
import { Metrics } from '../../metrics/metrics.js'
import { MadeFinals } from '../../plain/made-finals.js'
import { partialServer } from '../../plain/partial-uploads.js'
import { PlainStore, type ReadableStore } from '../../plain/plain-store.js'
import { QueueLocker } from '../../plain/queue-locker.js'
import type { ReconcileExtension, ReconcileOptions } from '../../reconcile-options.js'
import { mountPlain } from './plain-mount.js'

/**
 * What `reconcile` does for a datastore that is no RangeStore: concatenation, by copying, and nothing else.
 * @throws TypeError when the datastore cannot be read from, or an option needs a RangeStore
 */
export function mountConcatenation(server: Server, options: ReconcileOptions, log: Logger): ReconcileExtension {
  const store: DataStore = server.datastore
  if (!isReadable(store)) {
    throw new TypeError('reconcile needs a datastore that has read(id), or for all it can do a RangeStore')
  }
  for (const name of ['peers', 'secrets', 'index', 'dedup', 'commitAt'] as const) {
    if (options[name] !== undefined) throw new TypeError(`${name} needs a server whose datastore is a RangeStore`)
  }
  const load = new LoadMonitor()
  const metrics = new Metrics({ all: () => [] }, load)
  if (server.options.locker instanceof MemoryLocker) {
    server.options.locker = new QueueLocker((seconds) => metrics.waitedForLock(seconds))
  }
  const bounds = resolveBounds(options)
  const limits = new Limits(bounds.limits)
  const plainHolds = new PlainHolds(limits)
  const plain = new PlainStore(store, {
    counts: plainHolds,
    became: (state, uploads) => metrics.plain.became(state, uploads),
  })
  const partials = partialServer(server, plain)
  const draining = heardByMany()
  const observed = { log, metrics, draining: draining.signal }
  mountPlain({ server, plain, partials, finals: new MadeFinals(), bounds, limits, plainHolds, ...observed })
  const timer = setInterval(
    () => void endParts(plain, plainHolds).catch((err) => log.error({ err }, 'clean-up failed')),
    bounds.cleanUpIntervalMs,
  )
  timer.unref()
  return {
    ready: Promise.resolve({ storeId: '' }),
    drain: async () => draining.abort(),
    close: async () => {
      draining.abort()
      clearInterval(timer)
      load.close()
    },
    health: () => ({ state: draining.signal.aborted ? 'draining' : 'ready' }),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
    cleanUp: async () => {
      // the store knows of no final upload that is being made: the next clean-up does what this one leaves
      const isSafe = store.hasExtension('expiration') && !plain.parts.areUsed
      const ended = isSafe ? await plain.expireUnfinished() : 0
      return ended + (await endParts(plain, plainHolds))
    },
  }
}

/**
 * Partial uploads that nobody made a file of. What else has expired ends when the operator says so: FileStore's own
 * clean-up takes finished files as well.
 */
async function endParts(plain: PlainStore, holds: PlainHolds): Promise<number> {
  const ended = await plain.expireParts()
  for (const id of holds.ids) await plain.find(id).catch(() => holds.end(id))
  return ended
}

function isReadable(store: DataStore): store is ReadableStore {
  return 'read' in store && typeof store.read === 'function'
}
