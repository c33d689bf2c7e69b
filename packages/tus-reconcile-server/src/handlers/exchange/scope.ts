import { createHash } from 'node:crypto'
import type { Group } from '../../groups/group.js'
import type { TusRequest } from '../../tus-request.js'
import { runHook } from './hooks.js'
import type { Site } from './site.js'

/**
 * Within which files the blocks of this request's files are known again, as the application says: the same for the
 * same tenant. Its name is hashed, for it is recorded. Null: within each file only.
 */
export async function scopeOf(site: Site, req: TusRequest): Promise<string | null> {
  const tenant = await runHook(() => site.dedupScope?.(req))
  if (tenant === undefined) return null
  if (typeof tenant !== 'string' || tenant === '') {
    throw new TypeError(`dedup.scope answers with a tenant's id or undefined, not ${JSON.stringify(tenant)}`)
  }
  return createHash('sha256').update(tenant).digest('base64url')
}

/** Who is of another tenant than the group's is told of this group alone. */
export async function commonScope(site: Site, req: TusRequest, group: Group): Promise<string | null> {
  return group.scope !== null && (await scopeOf(site, req)) === group.scope ? group.scope : null
}
