import type { TerminateAnswer } from 'tus-reconcile-protocol'
import { endGroup } from '../groups/ending.js'
import type { Group } from '../groups/group.js'
import { refuseEnded } from '../groups/sessions.js'
import type { Site } from './site.js'

/** Ends a file's upload everywhere. Of a committed file the bytes stay: that is DELETE's to remove. */
export async function terminate(site: Site, group: Group): Promise<TerminateAnswer> {
  if (group.state !== 'terminated') {
    refuseEnded(group)
    await endGroup(group, 'terminated')
    site.log.info({ group: group.id }, 'group terminated')
  }
  return { state: 'terminated' }
}
