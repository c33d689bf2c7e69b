import { Upload } from '@tus/utils'
import type { Group } from '../groups/group.js'
import type { Metadata } from '../groups/group-facts.js'

/** What a DataStore knows of a file that comes, or came, as a group. */
export function uploadOf(facts: {
  readonly fileId: string
  readonly size: number | null
  readonly offset: number
  readonly metadata: Metadata | null
  readonly createdAt?: number
}): Upload {
  return new Upload({
    id: facts.fileId,
    offset: facts.offset,
    ...(facts.size === null ? {} : { size: facts.size }),
    ...(facts.metadata === null ? {} : { metadata: { ...facts.metadata } }),
    ...(facts.createdAt === undefined ? {} : { creation_date: new Date(facts.createdAt).toISOString() }),
  })
}

export function uploadOfGroup(group: Group): Upload {
  return uploadOf({ ...group, offset: group.size ?? 0 })
}
