import type { PartitionHeader } from 'tus-reconcile-protocol'
import { Refusal } from '../groups/refusal.js'
import type { Site } from './site.js'

/** For a client that has other servers, or patience: several times the load's own memory (guess). */
const RETRY_AFTER_S = 5

export function overloaded(): Refusal {
  return new Refusal('overloaded', 'this server is too busy for new uploads', {
    headers: { 'Retry-After': String(RETRY_AFTER_S) },
  })
}

/** A session that is known goes on, whatever the load. @throws Refusal `overloaded` */
export function refuseNewWhenBusy(site: Site, header: PartitionHeader): void {
  if (site.load.load <= site.shedAbove) return
  if (!site.groups.get(header.group)?.sessions.has(header.session)) throw overloaded()
}
