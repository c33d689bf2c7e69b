import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileIndex } from './file-index.js'
import { MemoryIndex } from './memory-index.js'
import type { GroupRecord, PartitionIndex } from './partition-index.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-index-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function record(id: string, createdAt = 1): GroupRecord {
  return {
    id,
    home: 'h',
    fileId: id,
    url: null,
    size: 5,
    maxSize: null,
    metadata: { filename: 'a', empty: null },
    state: 'open',
    opened: true,
    createdAt,
    touchedAt: 1,
    sessions: [],
    blocks: [[0, 'v', 'leaf']],
    claims: [[1, ['x']]],
    bad: [2],
    reports: [{ store: 's', blocks: [[3, 'y']] }],
    elsewhere: [{ start: 0, end: 5 }],
    participants: ['s'],
    toTell: [],
    pulledEarly: 0,
    pulledAtCommit: 0,
    commit: null,
  }
}

/** What every index does. */
function conforms(name: string, open: () => { index: PartitionIndex; again: () => PartitionIndex }): void {
  describe(name, () => {
    test('what is saved is loaded, what is removed is not', async () => {
      const { index, again } = open()
      expect(await index.load()).toEqual([])
      await Promise.all([index.save('a', () => record('a')), index.save('b', () => record('b'))])
      await index.remove('b')
      await index.close()
      expect(await again().load()).toEqual([record('a')])
    })

    test('a save that follows another holds the later state', async () => {
      const { index, again } = open()
      await index.load()
      let createdAt = 1
      const saves = [1, 2, 3].map((n) => {
        createdAt = n
        return index.save('a', () => record('a', createdAt))
      })
      await Promise.all(saves)
      await index.close()
      expect(await again().load()).toEqual([record('a', 3)])
    })
  })
}

conforms('MemoryIndex', () => {
  const index = new MemoryIndex()
  return { index, again: () => index }
})
conforms('FileIndex', () => {
  const open = () => new FileIndex(join(directory, 'records.json'))
  return { index: open(), again: open }
})

test('many saves of the file index are few writes, each of them whole', async () => {
  const path = join(directory, 'records.json')
  const index = new FileIndex(path)
  await index.load()
  let snapshots = 0
  await Promise.all(
    Array.from({ length: 50 }, () =>
      index.save('a', () => {
        snapshots++
        return record('a')
      }),
    ),
  )
  expect(snapshots).toBeLessThan(3)
  expect(await readdir(directory)).toEqual(['records.json'])
  expect(JSON.parse(await readFile(path, 'utf8')).groups.length).toBe(1)
})

test('a record that cannot be written fails its save, and is written by the next', async () => {
  const path = join(directory, 'sub', 'records.json')
  const index = new FileIndex(path)
  await index.load()
  await rm(join(directory, 'sub'), { recursive: true })
  await expect(index.save('a', () => record('a'))).rejects.toThrow()
  await new FileIndex(path).load()
  await index.save('b', () => record('b'))
  expect((await new FileIndex(path).load()).map(({ id }) => id)).toEqual(['a', 'b'])
})

test('a record of another shape is refused with the place', async () => {
  const path = join(directory, 'records.json')
  await writeFile(path, JSON.stringify({ version: 1, groups: [{ ...record('a'), size: 'five' }] }))
  await expect(new FileIndex(path).load()).rejects.toThrow(/groups\.0\.size/)
})
