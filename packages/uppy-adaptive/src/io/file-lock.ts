import { open, rm, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** Guess: what is done under a lock takes milliseconds, so that who holds one for so long is dead. */
const ABANDONED_MS = 2_000
const RETRY_MS = 10

/**
 * Runs the step while no other process runs one under the same lock, a file that is there meanwhile. One that its holder
 * has left behind is taken away after 2 s. @throws NodeJS.ErrnoException where the file cannot be made
 *
 * Our own, since proper-lockfile (4.1.2, of 2021, still the most used) is made for locks that are held for long: it renews
 * them by a timer and handlers of the process's signals, judges their age by the wall clock, and waits 5 s at least for one
 * that was left behind, which an upload that goes on after a crash would wait, too.
 */
export async function underLock<T>(path: string, step: () => Promise<T>): Promise<T> {
  const own = await acquire(path)
  try {
    return await step()
  } finally {
    // who was stopped for longer has lost it
    if ((await nameOf(path)) === own) await rm(path, { force: true })
  }
}

async function acquire(path: string): Promise<string | undefined> {
  let holder: string | undefined
  let sinceMs = 0
  while (!(await isMade(path))) {
    const now = await nameOf(path)
    if (now !== holder) sinceMs = performance.now()
    else if (performance.now() - sinceMs > ABANDONED_MS) await rm(path, { force: true })
    holder = now
    await delay(RETRY_MS * (1 + Math.random()))
  }
  return nameOf(path)
}

async function isMade(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Tells one lock from the next of the same path. */
async function nameOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  return found && `${found.ino} ${found.mtimeNs}`
}
