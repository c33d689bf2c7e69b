import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openJournalFile } from './file-journal.js'
import { underLock } from './file-lock.js'
import { platform } from './platform-node.js'

let directory = ''
let path = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'uppy-adaptive-journal-'))
  path = join(directory, 'journal.json')
})
beforeEach(async () => {
  await rm(path, { force: true, recursive: true })
})
afterAll(async () => {
  await rm(directory, { recursive: true })
})

test('what one journal writes, the next one of the same file reads', async () => {
  await openJournalFile(path).set('https://a|path:x', 'one')
  const next = openJournalFile(path)
  expect(await next.get('https://a|path:x')).toBe('one')
  expect(await next.get('https://a|path:y')).toBeUndefined()
})

test('changes that are asked for at once are made one after another, none lost', async () => {
  const journal = openJournalFile(path)
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => journal.set(key, `v${key}`)))
  await Promise.all([journal.delete('k3'), journal.set('k4', 'new'), journal.delete('absent')])
  const wanted = Object.fromEntries(keys.filter((key) => key !== 'k3').map((key) => [key, `v${key}`]))
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ ...wanted, k4: 'new' })
})

test('uploads of one process that name the same file change it one after another', async () => {
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => openJournalFile(path).set(key, key)))
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(Object.fromEntries(keys.map((key) => [key, key])))
})

test('the file is replaced whole, and no temporary file stays', async () => {
  const journal = openJournalFile(path)
  await journal.set('a', '1')
  await journal.set('b', '2')
  expect(await readdir(directory)).toEqual(['journal.json'])
})

test.each(['', '{', '{"a":"1"', 'null', '"text"', '[1, 2]', '{"a": 5, "b": {"c": "d"}}', '\u0000\u0000\u0000'])(
  'a journal damaged to %j remembers nothing, and is written anew',
  async (content) => {
    await writeFile(path, content)
    const journal = openJournalFile(path)
    expect(await journal.get('a')).toBeUndefined()
    await journal.set('a', 'fresh')
    expect(await openJournalFile(path).get('a')).toBe('fresh')
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ a: 'fresh' })
  },
)

test('whatever is in the file, reading gives a text or nothing', async () => {
  const content = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(fc.string(), fc.string()).map((o) => JSON.stringify(o)),
  )
  await fc.assert(
    fc.asyncProperty(content, async (text) => {
      await writeFile(path, text)
      const value = await openJournalFile(path).get('a')
      expect(value === undefined || typeof value === 'string').toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('entries that are sound stay when others in the file are not', async () => {
  await writeFile(path, '{"sound":"1","broken":5}')
  const journal = openJournalFile(path)
  await journal.set('more', '2')
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ sound: '1', more: '2' })
})

test('a place that cannot be written fails the one who asked, and the next request still runs', async () => {
  const journal = openJournalFile(join(directory, 'no', 'such', 'folder.json'))
  await expect(journal.set('a', '1')).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await journal.get('a')).toBeUndefined()
})

test('a lock that a killed process has left is taken away', async () => {
  await writeFile(`${path}.lock`, '')
  await openJournalFile(path).set('a', '1')
  expect(await readdir(directory)).toEqual(['journal.json'])
})

test('a lock that is in use is waited for', async () => {
  const lock = `${path}.lock`
  const order: string[] = []
  let second: Promise<unknown> = Promise.resolve()
  await underLock(lock, async () => {
    second = underLock(lock, async () => order.push('second'))
    for (let i = 0; i < 50; i++) await readdir(directory)
    order.push('first')
  })
  await second
  expect(order).toEqual(['first', 'second'])
})

test('who held a lock for so long that it was taken away leaves the next one its own', async () => {
  let go = () => {}
  const held = new Promise<void>((resolve) => {
    go = resolve
  })
  const lock = `${path}.lock`
  let late: Promise<unknown> = Promise.resolve()
  await new Promise<void>((begun) => {
    late = underLock(lock, () => {
      begun()
      return held
    })
  })
  await underLock(lock, async () => {
    go()
    await late
    expect(await readdir(directory)).toEqual(['journal.json.lock'])
  })
  expect(await readdir(directory)).toEqual([])
})

test('in Node nothing is remembered unless a place is named', () => {
  expect(platform.defaultJournal()).toBeUndefined()
})
