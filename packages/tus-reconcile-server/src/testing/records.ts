import { join } from 'node:path'
import { LevelIndex } from '../records/level-index.js'
import type { GroupHeader, GroupRecord } from '../records/partition-index.js'

/** The records of a directory that no server has open. */
function indexOf(directory: string): LevelIndex {
  return new LevelIndex({ directory: join(directory, '.reconcile', 'index') })
}

export async function readRecords(directory: string): Promise<readonly GroupRecord[]> {
  const index = indexOf(directory)
  try {
    return (await index.load()).groups
  } finally {
    await index.close()
  }
}

/** What a crash may have left of a group's record. */
export async function rewriteRecord(
  directory: string,
  group: string,
  change: (record: GroupRecord) => GroupRecord,
): Promise<void> {
  const index = indexOf(directory)
  const { groups } = await index.load()
  const record = groups.find(({ header }) => header.id === group)
  if (!record) throw new Error(`no record of ${group}`)
  await index.save(group, { takeChange: () => change(record) })
  await index.close()
}

export function rewriteHeader(
  directory: string,
  group: string,
  change: (header: GroupHeader) => GroupHeader,
): Promise<void> {
  return rewriteRecord(directory, group, (record) => ({ ...record, header: change(record.header) }))
}
