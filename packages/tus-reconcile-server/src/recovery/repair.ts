import type { Group } from '../groups/group.js'
import type { RangeStore } from '../store/range-store.js'
import { uploadOfGroup } from '../store/upload-of.js'
import type { Finding } from './diagnosis.js'

/** Does what a finding asks for, and records it. Nothing that is verified and there is touched. */
export async function repair(group: Group, finding: Finding, store: RangeStore): Promise<void> {
  if (finding.kind === 'commit-cut') {
    await store.finalise(store.backend.open(group.id), uploadOfGroup(group), true)
    return
  }
  if (finding.kind === 'placeholder-left') return store.removePlaceholder(group.fileId)
  await group.queue.run(async () => {
    if (finding.kind === 'data-left') await group.file.remove()
    else if (finding.kind === 'owner-gone') for (const owner of finding.owners) group.blocks.release(owner)
    else {
      // it is not complete any more: no commit may end by itself
      group.state = 'open'
      group.commitBegun = false
      group.blocks.lose(finding.blocks)
      for (const { session, offset } of finding.setBack) group.sessions.get(session)?.setBack(offset)
    }
  })
  await group.save()
}
