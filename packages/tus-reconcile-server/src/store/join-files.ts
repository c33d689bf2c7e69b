import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { moveExclusively } from './exclusive-move.js'
import type { FreeSpace } from './free-space.js'
import { appendPlainly } from './plain-append.js'
import { syncDirectory } from './syncing.js'

/** A file that is to have `size` bytes, those of `parts` one after the other. */
export interface Joining {
  readonly parts: readonly (() => Readable)[]
  readonly size: number | undefined
  /** Where they come together. */
  readonly temporary: string
  /** What it is named when it is whole, unless something is there (EEXIST). */
  readonly target: string
  /** Runs when it is whole, and before it has its name. */
  readonly record: () => Promise<void>
  /** Runs when it has its name. */
  readonly finish: () => Promise<void>
}

interface Disk {
  readonly isDurable: boolean
  readonly space: FreeSpace
}

/** Makes the file, or leaves nothing of it. */
export async function joinFiles(joining: Joining, disk: Disk): Promise<void> {
  const { parts, size, temporary, target } = joining
  let now = temporary
  try {
    await mkdir(dirname(temporary), { recursive: true })
    await writeFile(temporary, '', { flag: 'wx' })
    let offset = 0
    for (const part of parts) offset = await append(part(), { path: temporary, offset }, disk)
    if (offset !== size) throw new Error('the parts changed while they were read')
    await joining.record()
    await mkdir(dirname(target), { recursive: true })
    await moveExclusively(temporary, target, false)
    now = target
    if (disk.isDurable) await syncDirectory(dirname(target))
    await joining.finish()
  } catch (error) {
    await rm(now, { force: true }).catch(() => {})
    throw error
  }
}

/** What cannot be written is not read to its end, and its file would stay open. */
async function append(part: Readable, to: { path: string; offset: number }, disk: Disk): Promise<number> {
  try {
    return await appendPlainly(part, to, disk)
  } finally {
    part.destroy()
  }
}
