import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelIndex } from 'tus-reconcile-server'

/** Names of everything under the servers' folders. */
export type Inventory = ReadonlySet<string>

const OWN_FOLDER = '.reconcile'
/** A store's own memory: its name, its lock and its records. Sessions and groups in the records are looked at one by one. */
const LASTING = ['store-id', 'lock', 'index']
const ENDED_GROUP = new Set(['committed', 'terminated', 'expired'])

/** What lies in a server's folder, files and open records: `group ID`, `session ID`, or a path. */
export async function takeInventory(directory: string): Promise<Inventory> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const lasting = files.filter((path) => !isLasting(directory, path))
  return new Set([...lasting, ...(await openRecords(directory))])
}

/** What a finished upload left in a server's folder beyond what was there before and the file itself. */
export async function findLeftBehind(o: {
  readonly name: string
  readonly directory: string
  readonly before: Inventory
  /** At the primary: the committed file's id. */
  readonly fileId: string | undefined
}): Promise<string[]> {
  const now = await takeInventory(o.directory)
  const wanted = new Set(
    o.fileId === undefined ? [] : [o.fileId, `${o.fileId}.json`].map((name) => join(o.directory, name)),
  )
  return [...now]
    .filter((name) => !o.before.has(name) && !wanted.has(name))
    .map((name) => `${o.name}: ${name.replace(`${o.directory}/`, '')}`)
}

function isLasting(directory: string, path: string): boolean {
  const own = join(directory, OWN_FOLDER)
  return LASTING.some((name) => path === join(own, name) || path.startsWith(join(own, name, '/')))
}

/** Groups and sessions that the record does not call ended. Its server has it open: a copy is read. */
async function openRecords(directory: string): Promise<string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'reconcile-records-'))
  const index = new LevelIndex({ directory: copy })
  try {
    await cp(join(directory, OWN_FOLDER, 'index'), copy, { recursive: true })
    const { groups } = await index.load()
    return groups.flatMap(({ header, sessions }) => {
      const running = sessions.filter((session) => session.state === 'inProgress')
      const open = running.map((session) => `session ${session.id} in progress`)
      return ENDED_GROUP.has(header.state) ? open : [`group ${header.id} ${header.state}`, ...open]
    })
  } finally {
    await index.close()
    await rm(copy, { recursive: true, force: true })
  }
}
