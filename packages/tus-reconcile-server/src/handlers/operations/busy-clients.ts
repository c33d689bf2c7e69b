import type { Groups } from '../../groups/groups.js'

/** Thousands of streams ask once a second each, so one look over all groups serves those of this time (guess). */
const FRESH_MS = 500

interface Look {
  readonly atMs: number
  readonly clients: ReadonlySet<string>
}

const looks = new WeakMap<object, Look>()

/** Whether a client has a session that is neither complete nor ended, as of half a second ago at most. */
export function isBusyClient(groups: Pick<Groups, 'all'>, client: string): boolean {
  const nowMs = performance.now()
  let look = looks.get(groups)
  if (!look || nowMs - look.atMs > FRESH_MS) {
    look = { atMs: nowMs, clients: busyClients(groups) }
    looks.set(groups, look)
  }
  return look.clients.has(client)
}

function busyClients(groups: Pick<Groups, 'all'>): Set<string> {
  const clients = new Set<string>()
  for (const group of groups.all()) {
    if (group.hasEnded) continue
    for (const session of group.sessions.values()) if (group.isLive(session)) clients.add(session.client)
  }
  return clients
}
