import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Names of everything under the servers' folders. */
export type Inventory = ReadonlySet<string>

const OWN_FOLDER = '.reconcile'
/** A store's own memory: its name and its records. Sessions and groups in the records are looked at one by one. */
const LASTING = new Set(['store-id', 'records.json'])
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
  return [...LASTING].some((name) => path === join(own, name))
}

/** Groups and sessions that the record does not call ended. */
async function openRecords(directory: string): Promise<string[]> {
  const text = await readFile(join(directory, OWN_FOLDER, 'records.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return []
  const json: unknown = JSON.parse(text)
  return listOf(json, 'groups').flatMap((group) => {
    const sessions = listOf(group, 'sessions').filter((session) => textOf(session, 'state') === 'inProgress')
    const open = sessions.map((session) => `session ${textOf(session, 'id')} in progress`)
    const state = textOf(group, 'state')
    return ENDED_GROUP.has(state) ? open : [`group ${textOf(group, 'id')} ${state}`, ...open]
  })
}

function listOf(holder: unknown, key: string): unknown[] {
  if (typeof holder !== 'object' || holder === null) return []
  const list: unknown = Object.entries(holder).find(([name]) => name === key)?.[1]
  return Array.isArray(list) ? list : []
}

function textOf(holder: unknown, key: string): string {
  if (typeof holder !== 'object' || holder === null) return ''
  return String(Object.entries(holder).find(([name]) => name === key)?.[1] ?? '')
}
