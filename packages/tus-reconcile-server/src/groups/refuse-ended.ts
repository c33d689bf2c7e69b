import type { Group } from './group.js'
import { Refusal } from './refusal.js'

/** @throws Refusal that says how the group has ended, and where its file is */
export function refuseEnded(group: Group): void {
  if (!group.hasEnded) return
  const url = group.state === 'committed' ? group.url : null
  const headers = { 'Reconcile-State': group.state, ...(url ? { 'Reconcile-Upload': url } : {}) }
  throw new Refusal('group-ended', `this upload is ${group.state}`, { headers })
}
