import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryIndex } from '../records/memory-index.js'
import { startStore } from '../testing/server.js'
import { DirectoryLock } from './directory-lock.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-lock-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('a second server of one directory is refused with what to do, whatever its index, until the first has closed', async () => {
  const options = { directory, reconcile: { index: new MemoryIndex() } }
  const first = await startStore(options)
  const second = startStore({ directory, reconcile: { index: new MemoryIndex() } })
  await expect(second).rejects.toMatchObject({
    code: 'directory-in-use',
    message: expect.stringMatching(/one process/),
  })
  await first.close()
  const third = await startStore({ directory, reconcile: { index: new MemoryIndex() } })
  await third.close()
})

test('a lock whose files are damaged and which nobody holds needs no human', async () => {
  const path = join(directory, 'lock')
  const lock = new DirectoryLock(path)
  await lock.acquire()
  await lock.release()
  for (const name of await readdir(path)) await writeFile(join(path, name), 'damaged')
  const again = new DirectoryLock(path)
  await again.acquire()
  await expect(new DirectoryLock(path).acquire()).rejects.toMatchObject({ code: 'directory-in-use' })
  await again.release()
})
