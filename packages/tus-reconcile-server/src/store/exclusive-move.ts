import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, lstat, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** What a file system answers that has no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Gives a file another name that nothing has (EEXIST). A rename would overwrite what another request has created in
 * between: a second name never does. `isRepeat`: it may have been cut between its two steps, or another file of the same
 * bytes was given the name.
 */
export async function moveExclusively(from: string, to: string, isRepeat: boolean): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (NO_LINKS.has(code)) return renameOverPlaceholder(from, to)
    if (code !== 'EEXIST' || !isRepeat) throw error
    if (!(await isSameFile(from, to)) && !(await hasSameBytes(from, to))) throw error
  }
  await unlink(from)
}

/** What a placeholder holds, beside an id of its own: nothing else that lies under a file's name does. */
const PLACEHOLDER = /^tus-reconcile-server: a file comes here\n[0-9a-f-]{36}\n$/
const PLACEHOLDER_BYTES = placeholder().length

function placeholder(): string {
  return `tus-reconcile-server: a file comes here\n${randomUUID()}\n`
}

/**
 * Where there are no hard links: whoever creates the placeholder has the name (EEXIST). A crash between the steps leaves
 * it in the way, which a start and `--check` set right.
 */
export async function renameOverPlaceholder(from: string, to: string): Promise<void> {
  await writeFile(to, placeholder(), { flag: 'wx', mode: 0o644 })
  try {
    await rename(from, to)
  } catch (error) {
    await rm(to, { force: true }).catch(() => {})
    throw error
  }
}

/** Whether what lies there is no file but holds the name for one. */
export async function isPlaceholder(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  if (!stats?.isFile() || stats.size !== PLACEHOLDER_BYTES) return false
  return PLACEHOLDER.test(await readFile(path, 'utf8').catch(() => ''))
}

/** The names, within `directory`, that placeholders hold. Looks at every file. */
export async function placeholdersIn(directory: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && (await isPlaceholder(path))) found.push(relative(directory, path))
  }
  return found
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(a, { bigint: true }), stat(b, { bigint: true })])
  return one.ino === other.ino && one.dev === other.dev
}

async function hasSameBytes(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([digestOf(a), digestOf(b)])
  return one.equals(other)
}

async function digestOf(path: string): Promise<Buffer> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes)
  return hash.digest()
}
