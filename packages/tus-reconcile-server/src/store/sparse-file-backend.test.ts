import { existsSync } from 'node:fs'
import { link, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SparseFileBackend } from './sparse-file-backend.js'

test('a commit that was cut between its two names is ended by its repeat', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-backend-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = new SparseFileBackend(join(directory, 'groups')).open('a')
  const target = join(directory, 'a')
  await file.write(0, Buffer.from('new'))
  await file.idle()
  await link(join(directory, 'groups', 'a.data'), target)
  await expect(file.finalise(target, 3)).rejects.toMatchObject({ code: 'EEXIST' })
  await file.finalise(target, 3, { isRepeat: true })
  expect(await readFile(target, 'utf8')).toBe('new')
  expect(await readdir(join(directory, 'groups'))).toEqual([])
})

test('reading what is not there, or no longer, makes no file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-backend-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = new SparseFileBackend(join(directory, 'groups')).open('a')
  expect(await file.read(0, 3)).toHaveLength(0)
  await file.write(0, Buffer.from('new'))
  const [bytes] = await Promise.all([file.read(0, 3), file.finalise(join(directory, 'a'), 3)])
  expect(bytes.length).toBeLessThanOrEqual(3)
  expect(await file.read(0, 3)).toHaveLength(0)
  expect(await readdir(join(directory, 'groups'))).toEqual([])
})

/** How often this process has the file open. */
async function descriptorsOf(path: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd')
  const targets = await Promise.all(descriptors.map((name) => readlink(join('/proc/self/fd', name)).catch(() => '')))
  return targets.filter((target) => target === path).length
}

test.skipIf(!existsSync('/proc/self/fd'))(
  'who only reads leaves no descriptor behind, nor who is idle meanwhile',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reconcile-backend-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const file = new SparseFileBackend(directory).open('a')
    const path = join(directory, 'a.data')
    await file.write(0, Buffer.from('bytes'))
    expect(await descriptorsOf(path)).toBe(1)
    const read = file.read(0, 5)
    await file.idle()
    await read
    expect(await descriptorsOf(path)).toBe(0)
    expect(Buffer.from(await file.read(1, 3)).toString()).toBe('yte')
    expect(await descriptorsOf(path)).toBe(0)
  },
)
