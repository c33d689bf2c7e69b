import type { Group } from '../groups/group.js'
import type { Finding } from './diagnosis.js'

/** Makes the bytes of a group that was committed its file, or writes again what is known of that file. */
export type Finalise = (group: Group) => Promise<unknown>

/** Does what a finding asks for, and records it. Nothing that is verified and there is touched. */
export async function repair(group: Group, finding: Finding, finalise: Finalise): Promise<void> {
  if (finding.kind === 'commit-cut') {
    await finalise(group)
    return
  }
  await group.queue.run(async () => {
    if (finding.kind === 'data-left') await group.file.remove()
    else if (finding.kind === 'owner-gone') for (const owner of finding.owners) group.blocks.release(owner)
    else {
      group.blocks.lose(finding.blocks)
      for (const { session, offset } of finding.setBack) group.sessions.get(session)?.setBack(offset)
    }
  })
  await group.save()
}
