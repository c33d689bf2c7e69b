import { link, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SparseFileBackend } from './sparse-file-backend.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-backend-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('finalise overwrites nothing, not even as a repeat while the data is there', async () => {
  const file = new SparseFileBackend(join(directory, 'groups')).open('a')
  const target = join(directory, 'a')
  await file.write(0, Buffer.from('new'))
  await writeFile(target, 'old')
  await expect(file.finalise(target, 3)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(file.finalise(target, 3, true)).rejects.toMatchObject({ code: 'EEXIST' })
  expect(await readFile(target, 'utf8')).toBe('old')
  expect(Buffer.from(await file.read(0, 3)).toString()).toBe('new')
})

test('finalise again after the data has gone is a repeat of the same commit only', async () => {
  const file = new SparseFileBackend(join(directory, 'groups')).open('a')
  const target = join(directory, 'a')
  await file.write(0, Buffer.from('new'))
  await file.finalise(target, 3)
  await expect(file.finalise(target, 3)).rejects.toMatchObject({ code: 'EEXIST' })
  await file.finalise(target, 3, true)
  expect(await readFile(target, 'utf8')).toBe('new')
})

test('finalise makes no data up: bytes that are gone are ENOENT, an empty file is empty', async () => {
  const backend = new SparseFileBackend(join(directory, 'groups'))
  await expect(backend.open('a').finalise(join(directory, 'a'), 3)).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await readdir(directory)).toEqual([])
  await backend.open('b').finalise(join(directory, 'b'), 0)
  expect(await readFile(join(directory, 'b'), 'utf8')).toBe('')
})

test('of two that make a file of one name at the same moment one gets it, and neither loses a byte', async () => {
  const backend = new SparseFileBackend(join(directory, 'groups'))
  for (let round = 0; round < 50; round++) {
    const name = `f${round}`
    const target = join(directory, name)
    const file = backend.open(name)
    await file.write(0, Buffer.from('partitions'))
    const [commit, plain] = await Promise.allSettled([
      file.finalise(target, 10),
      writeFile(target, 'plain', { flag: 'wx' }),
    ])
    expect([commit.status, plain.status].sort()).toEqual(['fulfilled', 'rejected'])
    expect(await readFile(target, 'utf8')).toBe(commit.status === 'fulfilled' ? 'partitions' : 'plain')
    if (commit.status === 'rejected') expect(Buffer.from(await file.read(0, 10)).toString()).toBe('partitions')
  }
})

test('a commit that was cut between its two names is ended by its repeat', async () => {
  const file = new SparseFileBackend(join(directory, 'groups')).open('a')
  const target = join(directory, 'a')
  await file.write(0, Buffer.from('new'))
  await file.idle()
  await link(join(directory, 'groups', 'a.data'), target)
  await expect(file.finalise(target, 3)).rejects.toMatchObject({ code: 'EEXIST' })
  await file.finalise(target, 3, true)
  expect(await readFile(target, 'utf8')).toBe('new')
  expect(await readdir(join(directory, 'groups'))).toEqual([])
})
