import type { Upload } from '@tus/utils'
import type { Group } from '../../groups/group.js'
import type { Site } from './site.js'

/** `Repr-Digest` (RFC 9530) of a file that was committed here, where its flat digest is known. */
export function reprDigest(group: Group | undefined): Record<string, string> {
  const sha256 = group?.state === 'committed' ? group.commit?.sha256 : undefined
  return sha256 ? { 'Repr-Digest': `sha-256=:${sha256}:` } : {}
}

/** Of a finished upload, if it is what the group of that name has committed. */
export function reprDigestOf(site: Site, { id, size = 0 }: Upload): Record<string, string> {
  return reprDigest(committedAs(site, id, size))
}

/** The group whose commit made the file of that name and size, if it has not been deleted since. */
export function committedAs(site: Site, fileId: string, size: number): Group | undefined {
  const group = site.groups.byFileId(fileId)
  if (group?.state !== 'committed' || group.home !== site.storeId) return undefined
  return group.commit?.size === size && !group.commit.removed ? group : undefined
}
