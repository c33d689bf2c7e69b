import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EntryIndex } from './entry-index.js'
import { LevelEntries, LevelIndex } from './level-index.js'
import { MemoryEntries } from './memory-index.js'
import type { EntryWrites, OrderedEntries } from './ordered-entries.js'
import type { ChangeSource, GroupChange, GroupHeader, GroupRecord } from './partition-index.js'
import { formatValue, headerKey } from './record-entries.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-index-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

function header(id: string, change: Partial<GroupHeader> = {}): GroupHeader {
  return {
    ...{
      id,
      home: 'h',
      scope: null,
      fileId: id,
      url: null,
      size: 5,
      maxSize: null,
      metadata: { filename: 'a', empty: null },
    },
    ...{ state: 'open', opened: true, createdAt: 1, touchedAt: 1, participants: ['s'], toTell: [] },
    ...{ pulledEarly: 0, pulledAtCommit: 0, commit: null },
    ...change,
  }
}

const SESSION = {
  ...{ id: 's1', partition: 'p0', client: 'c', start: 0, end: null, offset: 3, attempt: 0 },
  ...{ state: 'inProgress' as const, checksum: null },
}

function record(id: string, change: Partial<GroupHeader> = {}): GroupRecord {
  return {
    header: header(id, change),
    sessions: [SESSION],
    blocks: [
      [0, ['v', 'leaf']],
      [10, ['p', 's1']],
    ],
    claims: [[1, ['x']]],
    bad: [[2, true]],
    reports: [['store/é', 3, 'y']],
    elsewhere: [{ start: 0, end: 5 }],
  }
}

function change(id: string, parts: Partial<GroupChange> = {}): GroupChange {
  return { header: header(id), sessions: [], blocks: [], claims: [], bad: [], reports: [], elsewhere: null, ...parts }
}

const always = (taken: GroupChange): ChangeSource => ({ takeChange: () => taken })

/** Entries whose next writes fail as often as is said. */
class FailingEntries implements OrderedEntries {
  readonly #entries: OrderedEntries
  failures = 0
  writes = 0
  constructor(entries: OrderedEntries) {
    this.#entries = entries
  }
  open = () => this.#entries.open()
  clear: OrderedEntries['clear'] = (range) => this.#entries.clear(range)
  entries: OrderedEntries['entries'] = (range) => this.#entries.entries(range)
  getMany: OrderedEntries['getMany'] = (keys) => this.#entries.getMany(keys)
  close = () => this.#entries.close()
  async write(writes: EntryWrites): Promise<void> {
    this.writes++
    if (this.failures-- > 0) throw new Error('no space')
    await this.#entries.write(writes)
  }
}

/** What every index does. `entries` opens the same database each time. */
function conforms(name: string, setUp: () => () => OrderedEntries): void {
  describe(name, () => {
    let entries: () => OrderedEntries
    let index: EntryIndex
    beforeEach(async () => {
      entries = setUp()
      index = new EntryIndex(entries())
      await index.load()
    })
    afterEach(() => index.close())

    async function again(): Promise<Awaited<ReturnType<EntryIndex['load']>>> {
      await index.close()
      index = new EntryIndex(entries())
      return index.load()
    }

    async function tamper(writes: Record<string, string>): Promise<void> {
      await index.close()
      const raw = entries()
      await raw.open()
      await raw.write(new Map(Object.entries(writes)))
      await raw.close()
    }

    test('what is saved is loaded, what is removed is not', async () => {
      await Promise.all([index.save('a', always(record('a'))), index.save('b', always(record('b')))])
      await index.remove('b')
      expect(await again()).toEqual({ groups: [record('a')], damaged: [] })
    })

    test('a change touches what it names and nothing else', async () => {
      await index.save('a', always(record('a')))
      await index.save('b', always(record('b')))
      const changed = change('a', {
        header: header('a', { touchedAt: 2 }),
        sessions: [{ ...SESSION, offset: 4 }],
        blocks: [
          [10, null],
          [11, ['h', 'z']],
        ],
        claims: [[1, null]],
        bad: [[2, null]],
        reports: [['store/é', 3, null]],
      })
      await index.save('a', always(changed))
      const expected = { ...record('a'), header: header('a', { touchedAt: 2 }), sessions: [{ ...SESSION, offset: 4 }] }
      const { groups } = await again()
      expect(groups).toEqual([
        {
          ...expected,
          blocks: [
            [0, ['v', 'leaf']],
            [11, ['h', 'z']],
          ],
          ...{ claims: [], bad: [], reports: [] },
        },
        record('b'),
      ])
    })

    test('blocks come back in their order, however many digits they have', async () => {
      const indices = [0, 9, 10, 99, 100, 34_359_738_367]
      const blocks = indices.toReversed().map((i): [number, ['v', string]] => [i, ['v', `${i}`]])
      await index.save('a', always(change('a', { blocks })))
      expect((await again()).groups[0]?.blocks.map(([i]) => i)).toEqual(indices)
    })

    test('changes are taken late, so that many saves are one write, and each holds what came before it', async () => {
      let offset = 0
      let taken = 0
      const source: ChangeSource = {
        takeChange: () => {
          taken++
          return change('a', { sessions: [{ ...SESSION, offset }] })
        },
      }
      const saves = Array.from({ length: 50 }, (_, i) => {
        offset = i
        return index.save('a', source)
      })
      await Promise.all(saves)
      expect(taken).toBe(1)
      expect((await again()).groups[0]?.sessions[0]?.offset).toBe(49)
    })

    test('a save that comes while another is written is taken after it', async () => {
      const taken: number[] = []
      const source = (n: number): ChangeSource => ({
        takeChange: () => {
          taken.push(n)
          return change('a', { header: header('a', { touchedAt: n }) })
        },
        settleBytes: async () => {
          if (n === 1) later = index.save('a', source(2))
        },
      })
      let later: Promise<void> | undefined
      await index.save('a', source(1))
      await later
      expect(taken).toEqual([1, 2])
      expect((await again()).groups[0]?.header.touchedAt).toBe(2)
    })

    test('of a group that has ended the header and the sessions stay', async () => {
      await index.save('a', always(record('a')))
      await index.save('a', always(change('a', { header: header('a', { state: 'committed' }), blocks: [[0, null]] })))
      const ended = {
        ...record('a', { state: 'committed' }),
        ...{ blocks: [], claims: [], bad: [], reports: [], elsewhere: [] },
      }
      expect((await again()).groups).toEqual([ended])
    })

    test('what a crash left of a removal or an end is not read, and does not join a new group', async () => {
      await index.save('a', always(record('a')))
      await index.save('b', always(record('b')))
      await index.close()
      const raw = entries()
      await raw.open()
      await raw.write(
        new Map([
          [headerKey('a'), null],
          [headerKey('b'), formatValue(header('b', { state: 'expired' }))],
        ]),
      )
      await raw.close()
      index = new EntryIndex(entries())
      const { groups, damaged } = await index.load()
      expect([groups.map(({ header }) => header.id), groups[0]?.blocks, damaged]).toEqual([['b'], [], []])
      await index.save('a', always(change('a')))
      expect((await again()).groups[0]?.sessions).toEqual([])
    })

    test('a group of a name that is being forgotten begins anew', async () => {
      await index.save('a', always(record('a')))
      await Promise.all([index.remove('a'), index.save('a', always(change('a')))])
      expect((await again()).groups).toEqual([{ ...change('a'), elsewhere: [] }])
    })

    test('a change that cannot be written fails its save, and goes with the next, whole', async () => {
      await index.close()
      const failing = new FailingEntries(entries())
      index = new EntryIndex(failing)
      await index.load()
      await index.save('a', always(record('a')))
      failing.failures = 1
      await expect(
        index.save(
          'a',
          always(
            change('a', {
              blocks: [
                [0, null],
                [7, ['h', 'w']],
              ],
            }),
          ),
        ),
      ).rejects.toThrow('no space')
      await index.save('b', always(record('b')))
      await index.save('a', always(change('a', { blocks: [[7, ['v', 'w']]] })))
      expect((await again()).groups[0]?.blocks).toEqual([
        [7, ['v', 'w']],
        [10, ['p', 's1']],
      ])
    })

    test('bytes settle before the record that speaks of them; where they do not, that group alone fails', async () => {
      const broken: ChangeSource = {
        takeChange: () => record('a'),
        settleBytes: () => Promise.reject(new Error('the disk')),
      }
      const results = await Promise.allSettled([index.save('a', broken), index.save('b', always(record('b')))])
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
      expect((await again()).groups).toEqual([record('b')])
    })

    test('after close nothing is taken, what was asked before is kept', async () => {
      const save = index.save('a', always(record('a')))
      await index.close()
      await save
      await expect(index.save('b', always(record('b')))).rejects.toMatchObject({ code: 'closed' })
      expect((await again()).groups).toEqual([record('a')])
    })

    test('damaged entries are named, left as they are, and gone after discard', async () => {
      await index.save('a', always(record('a')))
      await index.save('b', always(record('b')))
      await index.save('c', always(record('c')))
      await tamper({
        'group/a/detail/block/00000000000': formatValue(['x', 5]),
        'group/b/header': formatValue(header('b', { size: -1 })),
        'group/c/session/s1': '{',
      })
      for (let time = 0; time < 2; time++) {
        index = new EntryIndex(entries())
        const { groups, damaged } = await index.load()
        expect(groups.map(({ header }) => header.id)).toEqual(['a', 'c'])
        expect(groups[0]?.blocks).toEqual([[10, ['p', 's1']]])
        expect(damaged.map(({ key, group }) => [key, group])).toEqual([
          ['group/a/detail/block/00000000000', 'a'],
          ['group/b/header', 'b'],
          ['group/c/session/s1', 'c'],
        ])
        expect(damaged[1]?.reason).toMatch(/^size: /)
        if (time === 1) await index.discard(damaged)
        else await index.close()
      }
      const after = await again()
      expect([after.groups.map(({ header }) => header.id), after.damaged]).toEqual([['a', 'c'], []])
    })

    test('what a later version wrote is refused', async () => {
      await index.save('a', always(record('a')))
      await tamper({ 'group/a/session/s2': '[99,{"of":"the future"}]' })
      await expect(new EntryIndex(entries()).load()).rejects.toMatchObject({ code: 'newer-records' })
      // and closed, so that the later version can open it
      const raw = entries()
      await raw.open()
      await raw.close()
      index = new EntryIndex(new MemoryEntries())
    })

    test('a place is found by its scope and leaf alone, newest first, four at most', async () => {
      const entry = (scope: string, leaf: string, fileId: string, block = 0) => ({ scope, leaf, fileId, block })
      await index.contents.put([entry('one', 'A', 'f1', 3), entry('two', 'A', 'f2'), entry('one', 'B', 'f1', 4)])
      const found = await index.contents.find('one', ['A', 'B', 'C', 'A'])
      expect([...found]).toEqual([
        ['A', [{ fileId: 'f1', block: 3 }]],
        ['B', [{ fileId: 'f1', block: 4 }]],
      ])
      for (let i = 3; i < 8; i++) await index.contents.put([entry('one', 'A', `f${i}`)])
      const files = (await index.contents.find('one', ['A'])).get('A')?.map(({ fileId }) => fileId)
      expect(files).toEqual(['f7', 'f6', 'f5', 'f4'])
      expect(await index.contents.find('/one', ['A'])).toEqual(new Map())
    })

    test('a file that is removed is found nowhere, in whatever order it was asked for', async () => {
      const entry = (leaf: string, fileId: string) => ({ scope: 'one', leaf, fileId, block: 1 })
      await index.contents.put([entry('A', 'a/b'), entry('A', 'c'), entry('B', 'a/b')])
      await Promise.all([
        index.contents.put([entry('C', 'a/b'), entry('C', 'a')]),
        index.contents.removeFile('a/b'),
        index.contents.put([entry('D', 'a/b')]),
      ])
      await again()
      const found = await index.contents.find('one', ['A', 'B', 'C', 'D'])
      expect(Array.from(found, ([leaf, places]) => [leaf, ...places.map(({ fileId }) => fileId)])).toEqual([
        ['A', 'c'],
        ['C', 'a'],
        ['D', 'a/b'],
      ])
    })

    test('a place and a change of one tick are one batch', async () => {
      await index.close()
      const failing = new FailingEntries(entries())
      index = new EntryIndex(failing)
      await index.load()
      failing.failures = 1
      const both = [
        index.save('a', always(record('a'))),
        index.contents.put([{ scope: 's', leaf: 'A', fileId: 'a', block: 0 }]),
      ]
      expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(failing.writes).toBe(1)
      expect((await again()).groups).toEqual([])
      expect((await index.contents.find('s', ['A'])).size).toBe(0)
    })
  })
}

conforms('in memory', () => {
  const entries = new MemoryEntries()
  return () => entries
})
conforms('embedded', () => () => new LevelEntries({ directory: join(directory, 'index') }))
conforms('embedded and synced', () => () => new LevelEntries({ directory: join(directory, 'index'), sync: true }))

test('a directory that is open is refused by its name', async () => {
  const index = new LevelIndex({ directory })
  await index.load()
  const second = new LevelIndex({ directory }).load()
  await expect(second).rejects.toMatchObject({ code: 'directory-in-use', message: expect.stringContaining(directory) })
  await index.close()
  const third = new LevelIndex({ directory })
  await third.load()
  await third.close()
})

test('a database that is no database is refused, and not made anew', async () => {
  const index = new LevelIndex({ directory })
  await index.load()
  await index.save('a', always(record('a')))
  await index.close()
  await writeFile(join(directory, 'CURRENT'), 'nonsense')
  await expect(new LevelIndex({ directory }).load()).rejects.toMatchObject({ code: 'damaged-index' })
})

const FIRST_VERSION = {
  ...header('a'),
  sessions: [SESSION],
  blocks: [
    [0, 'v', 'leaf'],
    [10, 'p', 's1'],
  ],
  claims: [[1, ['x']]],
  bad: [2],
  reports: [{ store: 'store/é', blocks: [[3, 'y']] }],
  elsewhere: [{ start: 0, end: 5 }],
}

test('the records of version 1 are read once, and set aside', async () => {
  const path = join(directory, 'records.json')
  await writeFile(path, JSON.stringify({ version: 1, groups: [FIRST_VERSION] }))
  const options = { directory: join(directory, 'index'), firstVersion: path }
  for (let time = 0; time < 2; time++) {
    const index = new LevelIndex(options)
    expect((await index.load()).groups).toEqual([record('a')])
    await index.close()
  }
  expect(await readdir(directory)).toEqual(['index', 'records.json.migrated'])
})

test('records of version 1 that cannot be read are refused with the place, and stay', async () => {
  const path = join(directory, 'records.json')
  const text = JSON.stringify({ version: 1, groups: [{ ...FIRST_VERSION, size: 'five' }] })
  await writeFile(path, text)
  const index = new LevelIndex({ directory: join(directory, 'index'), firstVersion: path })
  await expect(index.load()).rejects.toMatchObject({
    code: 'damaged-records',
    message: expect.stringContaining('groups.0.size'),
  })
  expect(await readFile(path, 'utf8')).toBe(text)
})
