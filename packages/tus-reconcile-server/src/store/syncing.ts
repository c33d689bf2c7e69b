import { open } from 'node:fs/promises'

/** A name that was made, renamed or removed in the directory stays so after a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows opens no directory as a file, and keeps names by itself
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The bytes of the file stay after a power cut. Its name is its directory's. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}
