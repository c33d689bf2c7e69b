import type { CommitRequest } from 'tus-reconcile-protocol'
import type { Group } from '../../groups/group.js'
import { Refusal } from '../../groups/refusal.js'
import type { TusRequest } from '../../tus-request.js'
import { openAtNewHome } from '../exchange/open-group.js'
import type { Site } from '../exchange/site.js'

/**
 * A store that is not the group's home is asked to commit. It becomes the home where the client has asked for that from
 * the beginning, the operator allows it, the home cannot be reached, and a majority agrees. @throws Refusal
 */
export async function becomeHome(
  site: Site,
  group: Group,
  call: { elsewhere: boolean; req: TusRequest },
): Promise<void> {
  if (!call.elsewhere) throw new Refusal('unknown-group', 'this upload has another home')
  if (!group.homeMove || site.commitAt !== 'any') {
    throw new Refusal('contradiction', 'this upload is committed at its home alone')
  }
  if (site.peers.isReachable(group.home)) {
    site.peers.greet(group.home)
    throw askAgain("this upload's home has not been away for long: ask it, or ask here again")
  }
  const home = await site.peers.electHome(group, site.storeId)
  await site.peers.moveHome(group, home)
  if (home !== site.storeId) throw askAgain(`only ${home} may commit this upload`)
  await openAtNewHome(site, group, call.req)
}

/** Right before the file is made: nobody else may make it then. What has been chosen already holds. @throws Refusal */
export async function confirmHome(site: Site, group: Group): Promise<void> {
  if (!group.homeMove) return
  const home = await site.peers.electHome(group, site.storeId)
  if (home === site.storeId) return
  await site.peers.moveHome(group, home)
  // the same request again goes there
  throw askAgain(`only ${home} may commit this upload`)
}

/** Where a commit is for: its home, or the store that the client names where it may be committed elsewhere. */
export function storeOfCommit(home: string, operation: CommitRequest): string {
  return operation.elsewhere && operation.store !== undefined ? operation.store : home
}

function askAgain(message: string): Refusal {
  return new Refusal('unreachable-store', message, { headers: { 'Retry-After': '1' } })
}
