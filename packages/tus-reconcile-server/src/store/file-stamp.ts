import { lstat } from 'node:fs/promises'

/**
 * Changes when the bytes of a file are written to, or another file has its name: inode, length, time of the last write.
 * Another name of the same file leaves it as it is, and so the time of the last change of its facts (ctime) is no part of
 * it: each name that comes or goes changes that. Who writes and sets the time of the write back is not noticed, nor is
 * what a disk does to bytes by itself. Undefined where there is no ordinary file.
 */
export async function stampOf(path: string): Promise<string | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined)
  return stats?.isFile() ? `${stats.ino}.${stats.size}.${stats.mtimeNs}` : undefined
}
