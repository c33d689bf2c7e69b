import { link, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
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
