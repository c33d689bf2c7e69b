import type { Upload } from '@tus/utils'
import type { Group } from '../groups/group.js'
import type { Site } from './site.js'

/** `Repr-Digest` (RFC 9530) of a file that was committed here, where its flat digest is known. */
export function reprDigest(group: Group | undefined): Record<string, string> {
  const sha256 = group?.state === 'committed' ? group.commit?.sha256 : undefined
  return sha256 ? { 'Repr-Digest': `sha-256=:${sha256}:` } : {}
}

/** Of a finished upload, if it is what the group of that name has committed. */
export function reprDigestOf(site: Site, upload: Upload): Record<string, string> {
  const group = site.groups.byFileId(upload.id)
  return group?.home === site.storeId && group.commit?.size === upload.size ? reprDigest(group) : {}
}
