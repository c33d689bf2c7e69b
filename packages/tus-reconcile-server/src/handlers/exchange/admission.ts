import type { PartitionHeader } from 'tus-reconcile-protocol'
import { Refusal } from '../../groups/refusal.js'
import { clientAddress } from '../../limits/client-address.js'
import type { SessionAdmission } from '../../limits/limits.js'
import type { LimitKeys } from '../../limits/quota.js'
import type { TusRequest } from '../../tus-request.js'
import { runHook } from './hooks.js'
import type { PlainSite, Site } from './site.js'

/** For a client that has other servers, or patience: several times the load's own memory (guess). */
const RETRY_AFTER_S = 5
/** What is known already, or has ended, counts for nothing new. */
const NOTHING_NEW: SessionAdmission = { settle: () => {}, abandon: () => {} }

/** Who asks, for limits. */
export function limitKeys(
  site: Site,
  req: TusRequest,
  of: { readonly client?: string | undefined; readonly group?: string | undefined },
): LimitKeys {
  return { client: of.client, group: of.group, address: addressOf(site, req) }
}

/** Who sends a plain upload, for limits: it names no client itself. */
export async function plainKeys(site: Pick<PlainSite, 'server' | 'bounds'>, req: TusRequest): Promise<LimitKeys> {
  const { plainClient } = site.bounds.limits
  return { client: plainClient && (await runHook(() => plainClient(req))), address: addressOf(site, req) }
}

export function addressOf(site: Pick<PlainSite, 'server'>, req: TusRequest): string | undefined {
  return clientAddress(req, site.server.options.respectForwardedHeaders === true)
}

/** A session that is known goes on, whatever the load and the limits. @throws Refusal `overloaded`, `too-many` */
export function admitCreation(site: Site, req: TusRequest, header: PartitionHeader): SessionAdmission {
  const group = site.groups.get(header.group)
  if (group?.hasEnded || group?.sessions.has(header.session) || group?.unseen.get(header.session)) return NOTHING_NEW
  refuseWhenBusy(site)
  return site.limits.admitSession(limitKeys(site, req, header), group)
}

/** @throws Refusal `overloaded` */
export function refuseWhenBusy(site: Site): void {
  if (site.load.load <= site.bounds.shedAbove) return
  throw new Refusal('overloaded', 'this server is too busy for new uploads', {
    headers: { 'Retry-After': String(RETRY_AFTER_S) },
  })
}
