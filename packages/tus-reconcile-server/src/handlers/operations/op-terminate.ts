import type { TerminateAnswer } from 'tus-reconcile-protocol'
import { endGroup, settleEnd } from '../../groups/ending.js'
import type { Group } from '../../groups/group.js'
import { refuseEnded } from '../../groups/refuse-ended.js'
import type { Site } from '../exchange/site.js'

/** Ends a file's upload everywhere. Of a committed file the bytes stay: that is DELETE's to remove. */
export async function terminate(site: Site, group: Group): Promise<TerminateAnswer> {
  if (group.state === 'terminated') await settleEnd(group)
  else {
    refuseEnded(group)
    await terminateHere(group)
    site.log.info({ group: group.id }, 'group terminated')
  }
  return { state: 'terminated' }
}

/** @throws Refusal when a commit that was running has made the file, or it has expired */
export async function terminateHere(group: Group): Promise<void> {
  const ended = await endGroup(group, 'terminated')
  if (!ended && group.state !== 'terminated') refuseEnded(group)
}
