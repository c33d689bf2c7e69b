import { rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Group } from '../groups/group.js'
import type { Groups } from '../groups/groups.js'
import type { RangeStore } from '../store/range-store.js'
import { diagnose, type Evidence, NO_FILE } from './diagnosis.js'
import { decideOrphan } from './orphans.js'
import { repair } from './repair.js'

/** Files that are renamed once they are whole: one that is left is not. */
const TEMPORARIES = ['store-id.tmp', 'records.json.tmp']

interface Recovery {
  readonly groups: Groups
  readonly store: RangeStore
  readonly storeId: string
  readonly log: Logger
  readonly expireMs: number
}

/**
 * At every start, before the first request: what a crash has left is set right, with its reason in the log. Only names
 * and lengths are looked at; `--check` reads the bytes.
 */
export async function recoverStore(recovery: Recovery): Promise<void> {
  const { groups, store, storeId, log } = recovery
  for (const name of TEMPORARIES) await rm(store.ownPath(name), { force: true })
  const stored = await store.backend.stored()
  for (const group of groups.all()) {
    const evidence = { data: stored.get(group.id), file: await traceOf(store, group) }
    for (const finding of diagnose(group, storeId, evidence)) {
      const facts = { group: group.id, finding: finding.kind, reason: finding.reason }
      await repair(group, finding, store).then(
        () => log.warn(facts, 'repaired after a crash'),
        (err) => log.error({ ...facts, err }, 'not repaired after a crash'),
      )
    }
  }
  for (const [id, bytes] of stored) {
    if (groups.get(id)) continue
    const { kind, reason } = decideOrphan(bytes, Date.now(), recovery.expireMs)
    log.warn({ group: id, length: bytes.length, finding: 'no-record', reason }, `bytes without a record: ${kind}`)
    if (kind === 'remove') await store.backend.open(id).remove()
  }
}

/** Only a commit makes a file: for other groups nobody looks. */
export async function traceOf(store: RangeStore, group: Group): Promise<Evidence['file']> {
  const looks = group.state === 'committing' || group.state === 'committed'
  return looks ? store.traceOf(group.fileId) : NO_FILE
}
