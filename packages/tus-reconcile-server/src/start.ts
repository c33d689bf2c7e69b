import { rm } from 'node:fs/promises'
import type { Server } from '@tus/server'
import { ContentCatalog } from './dedup/content-catalog.js'
import { feedEvents, logNotice } from './event-feed.js'
import { prepareRoot } from './groups/file-root.js'
import type { Group } from './groups/group.js'
import type { Site } from './handlers/exchange/site.js'
import { recoverCommits, recoverHooks } from './handlers/operations/op-commit.js'
import { recoverFinals } from './handlers/plain/recover-finals.js'
import type { Parts } from './parts.js'
import { MadeFinals } from './plain/made-finals.js'
import { partialServer } from './plain/partial-uploads.js'
import { recoverStore } from './recovery/recover-store.js'
import { loadStoreId } from './store/store-id.js'

/** Loads what is recorded, then lets the parts hear of each other. */
export async function start(server: Server, parts: Parts): Promise<Site> {
  const { store, plain, sideDirectory, groups, hub, log, metrics, load, network, expireMs, commitAt } = parts
  await parts.lock.acquire()
  await groups.load()
  await rm(sideDirectory, { recursive: true, force: true })
  const storeId = await loadStoreId(store.ownPath('store-id'), store.durability === 'disk')
  await store.prepare()
  const signals = { draining: parts.draining.signal, closing: parts.closing.signal }
  const partials = partialServer(server, plain)
  const { bounds, limits, plainHolds, dedupScope, flatDigests, lateDigests, wholeFiles } = parts
  const observed = { log, metrics, load, bounds, limits, plainHolds }
  const finals = new MadeFinals(store.ownPath('finals'), store.durability === 'disk')
  const shared = { server, dedupScope, flatDigests, wholeFiles, plain, partials, finals, ...observed, commitAt }
  const site: Site = { ...shared, store, sideDirectory, storeId, groups, hub, peers: network, expireMs, ...signals }
  groups.subscribe((notice) => feedEvents(hub, parts.offsets, notice))
  groups.subscribe((notice) => logNotice(log, storeId, notice))
  load.onChange = (now) => hub.tellAll({ type: 'load', load: now })
  groups.subscribe((notice) => metrics.hear(notice))
  limits.restore(groups.all())
  groups.subscribe((notice) => limits.hear(notice))
  groups.subscribe((notice) => void prepareRoot(notice))
  groups.subscribe((notice) => flatDigests.hear(notice))
  groups.subscribe((notice) => lateDigests.hear(notice))
  rememberContents(parts, storeId)
  network.start(storeId)
  await recoverStore(site)
  await recoverCommits(site)
  await recoverFinals(site, store)
  // votes on it may be forgotten elsewhere: it is gone before anybody can ask for it
  await groups.expire(expireMs).catch((err) => log.error({ err }, 'clean-up failed'))
  recoverHooks(site)
  lateDigests.onDigest = ({ id, size }) => log.info({ group: id, size }, 'file hashed after its commit')
  lateDigests.start(storeId, groups.all())
  return site
}

/** What is verified in a scope is found in it, from now on and from before. */
function rememberContents({ index, groups, store, plainHolds, log }: Parts, storeId: string): void {
  const catalog = new ContentCatalog(index.contents, storeId, log)
  groups.subscribe((notice) => catalog.hear(notice))
  store.onRemoved = (id) => {
    catalog.remove(id)
    plainHolds.end(id)
    return noteRemoved(groups.byFileId(id))
  }
  catalog.repair(groups.all())
}

/** Another file may come to the name of one that is gone. Settles when that is recorded, or could not be. */
async function noteRemoved(group: Group | undefined): Promise<void> {
  if (group?.state !== 'committed' || !group.commit) return
  group.commit = { ...group.commit, sha256: null, removed: true }
  await group.save().catch(() => {})
}
