import { link, mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { moveExclusively } from './exclusive-move.js'
import { stampOf } from './file-stamp.js'
import { syncDirectory, syncFile } from './syncing.js'

interface TwinLink {
  readonly twin: string
  /** What the twin has to be still. */
  readonly stamp: string
  readonly target: string
  /** A name of the same file system that nothing has; what a crash leaves there is swept at the next start. */
  readonly temporary: string
  readonly isRepeat: boolean
  readonly isDurable: boolean
}

/**
 * Gives the twin's file the name `target` as well, which nothing has. Returns false, with nothing done, where the disk
 * or the twin does not allow that, or the name is taken. It is the held file that is checked, not what has its name.
 */
export async function linkTwin(options: TwinLink): Promise<boolean> {
  const { twin, stamp, target, temporary, isRepeat, isDurable } = options
  try {
    await mkdir(dirname(temporary), { recursive: true })
    await mkdir(dirname(target), { recursive: true })
    await link(twin, temporary)
  } catch {
    return false
  }
  try {
    if ((await stampOf(temporary)) !== stamp) return false
    if (isDurable) await syncFile(temporary)
    await moveExclusively(temporary, target, isRepeat)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
  if (isDurable) await syncDirectory(dirname(target))
  return true
}
