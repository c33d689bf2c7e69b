import { link, rename, stat, unlink, writeFile } from 'node:fs/promises'

/** What a file system answers that has no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Gives a file another name that nothing has (EEXIST). A rename would overwrite what another request has created in
 * between: a second name never does. `isRepeat`: it may have been cut between its two steps.
 */
export async function moveExclusively(from: string, to: string, isRepeat: boolean): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (NO_LINKS.has(code)) return renameOverPlaceholder(from, to)
    // cut between the two steps, the first of which is done
    if (code !== 'EEXIST' || !isRepeat || !(await isSameFile(from, to))) throw error
  }
  await unlink(from)
}

/** Whoever creates the empty file has the name. A crash between the steps leaves it in the way: EEXIST from then on. */
async function renameOverPlaceholder(from: string, to: string): Promise<void> {
  await writeFile(to, '', { flag: 'wx', mode: 0o644 })
  await rename(from, to)
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(a, { bigint: true }), stat(b, { bigint: true })])
  return one.ino === other.ino && one.dev === other.dev
}
