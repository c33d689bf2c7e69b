import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { GroupBudgets } from '../groups/budgets.js'
import { Group } from '../groups/group.js'
import type { GroupPorts } from '../groups/group-facts.js'
import type { LoadedRecords, PartitionIndex } from '../records/partition-index.js'
import { diagnose, type Finding } from '../recovery/diagnosis.js'
import { decideOrphan } from '../recovery/orphans.js'
import { traceOf } from '../recovery/recover-store.js'
import { repair } from '../recovery/repair.js'
import type { StoredBytes } from '../store/range-backend.js'
import type { RangeStore } from '../store/range-store.js'
import { loadStoreId } from '../store/store-id.js'
import { OWN_FOLDER } from '../store/upload-paths.js'
import { differingBlocks, hasCommittedRoot } from './check-bytes.js'
import { type CheckEntry, type CheckReport, emptyReport } from './check-report.js'

interface CheckOptions {
  readonly store: RangeStore
  readonly index: PartitionIndex
  /** Only tell what would be done. */
  readonly isDryRun: boolean
  /** Bytes without a record are removed when they are older. Milliseconds. */
  readonly expireMs: number
  /** What was repaired before the records could be read. Default: nothing. */
  readonly before?: readonly CheckEntry[]
}

/**
 * Compares all records of a store that nobody serves with the bytes, which are read and hashed, and repairs what can
 * be: nothing that is verified and there is touched. @throws IndexError
 */
export async function checkStore(options: CheckOptions): Promise<CheckReport> {
  const { index, store } = options
  const loaded = await index.load()
  try {
    const storeId = await loadStoreId(store.ownPath('store-id'), store.durability === 'disk')
    return await new StoreCheck(options, storeId).run(loaded)
  } finally {
    await index.close()
  }
}

/** Whether a store was ever served from this directory. Asked before a store is made of it, which makes the folder. */
export function hasRecords(directory: string): Promise<boolean> {
  const looks = ['index', 'records.json'].map((name) => access(join(directory, OWN_FOLDER, name)))
  return Promise.any(looks).then(
    () => true,
    () => false,
  )
}

class StoreCheck {
  readonly #options: CheckOptions
  readonly #storeId: string
  readonly #ports: GroupPorts
  readonly #report: CheckReport
  /** Names of files whose placeholder is reported. */
  readonly #told = new Set<string>()

  constructor(options: CheckOptions, storeId: string) {
    this.#options = options
    this.#storeId = storeId
    this.#report = emptyReport(options.before)
    const { index, store } = options
    this.#ports = { index, files: store.backend, budgets: new GroupBudgets(), now: Date.now, notify: () => {} }
  }

  async run({ groups, damaged }: LoadedRecords): Promise<CheckReport> {
    const stored = await this.#options.store.backend.stored()
    if (damaged.length > 0) await this.#act(() => this.#options.index.discard(damaged), damaged.map(entryOf))
    const known = new Set<string>(damaged.map(({ group }) => group))
    for (const record of groups) {
      const group = Group.restore(record, this.#ports)
      known.add(group.id)
      await this.#checkGroup(group, stored.get(group.id))
    }
    for (const [id, bytes] of stored) if (!known.has(id)) await this.#checkOrphan(id, bytes)
    await this.#checkPlaceholders()
    return this.#report
  }

  async #checkGroup(group: Group, data: StoredBytes | undefined): Promise<void> {
    const { store } = this.#options
    this.#report.groups++
    const file = await traceOf(store, group)
    const isOpen = !group.hasEnded && data !== undefined
    const differing = isOpen ? await differingBlocks(group, data.length, this.#report) : []
    for (const finding of diagnose(group, this.#storeId, { data, file, differing })) {
      if (finding.kind === 'placeholder-left') this.#told.add(group.fileId)
      await this.#act(() => repair(group, finding, store), [{ group: group.id, ...toldOf(finding) }])
    }
    if (group.state !== 'committed' || group.home !== this.#storeId) return
    const { isDryRun } = this.#options
    if (isDryRun && this.#told.has(group.fileId)) return
    // a repair may have made it
    await this.#checkFile(group, (await traceOf(store, group)).length)
  }

  async #checkFile(group: Group, length: number | undefined): Promise<void> {
    const { entries } = this.#report
    const facts = { group: group.id }
    if (length === undefined) {
      const reason = `its file ${group.fileId} is not there: it was deleted, by a client or by somebody else`
      entries.push({ ...facts, finding: 'file-gone', outcome: 'noted', reason })
    } else if (!(await hasCommittedRoot(this.#options.store, group, this.#report))) {
      const reason = `its file ${group.fileId} (${length} bytes) is not the one that was committed (${group.commit?.size} bytes)`
      entries.push({ ...facts, finding: 'file-differs', outcome: 'left', reason })
    }
  }

  /** Of uploads that are no groups: a file made of parts. What a group's commit has left was found with the group. */
  async #checkPlaceholders(): Promise<void> {
    const { store, isDryRun } = this.#options
    const found = (await store.placeholders()).filter((id) => !(isDryRun && this.#told.has(id)))
    for (const id of found) {
      const reason = `a placeholder has the name ${id} of a file that never came`
      await this.#act(() => store.removePlaceholder(id), [{ group: '', finding: 'placeholder-left', reason }])
    }
  }

  async #checkOrphan(id: string, bytes: StoredBytes): Promise<void> {
    const { kind, reason } = decideOrphan(bytes, Date.now(), this.#options.expireMs)
    const told = { group: id, finding: 'no-record', reason: `${reason} (${bytes.length} bytes)` }
    if (kind === 'keep') this.#report.entries.push({ ...told, outcome: 'noted' })
    else await this.#act(() => this.#options.store.backend.open(id).remove(), [told])
  }

  async #act(task: () => Promise<void>, told: readonly Omit<CheckEntry, 'outcome'>[]): Promise<void> {
    const { entries } = this.#report
    if (this.#options.isDryRun) {
      entries.push(...told.map((entry) => ({ ...entry, outcome: 'left' as const })))
      return
    }
    try {
      await task()
      entries.push(...told.map((entry) => ({ ...entry, outcome: 'repaired' as const })))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      entries.push(...told.map((entry) => ({ ...entry, outcome: 'left' as const, reason: `${entry.reason}; ${why}` })))
    }
  }
}

function toldOf(finding: Finding): Pick<CheckEntry, 'finding' | 'reason'> {
  return { finding: finding.kind, reason: finding.reason }
}

function entryOf(damaged: LoadedRecords['damaged'][number]): Omit<CheckEntry, 'outcome'> {
  return { group: damaged.group, finding: 'damaged-record', reason: `${damaged.key}: ${damaged.reason}` }
}
