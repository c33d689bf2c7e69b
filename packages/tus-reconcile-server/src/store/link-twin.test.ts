import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { stampOf } from './file-stamp.js'
import { linkTwin } from './link-twin.js'

async function twinIn(folder = tmpdir()) {
  const directory = await mkdtemp(join(folder, 'reconcile-twin-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const twin = join(directory, 'twin')
  await writeFile(twin, 'bytes')
  const stamp = (await stampOf(twin)) ?? ''
  const target = join(directory, 'files', 'target')
  const temporary = join(directory, 'tmp', 'one')
  return { directory, twin, stamp, target, temporary, isRepeat: false, isDurable: true }
}

test('the target is another name of the twin, and the temporary name is gone', async () => {
  const options = await twinIn()
  expect(await linkTwin(options)).toBe(true)
  expect((await stat(options.target)).ino).toBe((await stat(options.twin)).ino)
  expect(await stampOf(options.target)).toBe(options.stamp)
  expect(await readdir(join(options.directory, 'tmp'))).toEqual([])
})

test('what has the name is never overwritten, unless a repeat finds the twin there', async () => {
  const options = await twinIn()
  expect(await linkTwin(options)).toBe(true)
  expect(await linkTwin(options)).toBe(false)
  expect(await linkTwin({ ...options, isRepeat: true })).toBe(true)
  await rm(options.target)
  await writeFile(options.target, 'other')
  expect(await linkTwin({ ...options, isRepeat: true })).toBe(false)
  expect(await readFile(options.target, 'utf8')).toBe('other')
  expect(await readdir(join(options.directory, 'tmp'))).toEqual([])
})

test('a twin with another stamp, or none, is not linked', async () => {
  const options = await twinIn()
  expect(await linkTwin({ ...options, stamp: `${options.stamp}0` })).toBe(false)
  expect(await readdir(join(options.directory, 'tmp'))).toEqual([])
  await rm(options.twin)
  expect(await linkTwin(options)).toBe(false)
  await expect(stat(options.target)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('where the disk has no link between the two nothing is done', async (context) => {
  const here = await twinIn()
  const other = await twinIn('/dev/shm').catch(() => undefined)
  if (!other || (await stat(other.twin)).dev === (await stat(here.twin)).dev) return context.skip()
  expect(await linkTwin({ ...here, twin: other.twin, stamp: other.stamp })).toBe(false)
  await expect(stat(here.target)).rejects.toMatchObject({ code: 'ENOENT' })
})
