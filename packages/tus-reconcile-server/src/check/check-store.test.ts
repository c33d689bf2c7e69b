import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCheck } from '../command/check-command.js'
import { LevelEntries } from '../records/level-index.js'
import { TestClient } from '../testing/client.js'
import { startStore, type TestStore } from '../testing/server.js'
import { clientOf } from '../testing/stores.js'

const B = BLOCK_SIZE
const SIZE = 4 * B + 5
const PLACEHOLDER = 'tus-reconcile-server: a file comes here\n00000000-0000-4000-8000-000000000000\n'
let directory: string
let store: TestStore
let client: TestClient
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-check-'))
  store = await startStore({ directory })
  client = clientOf(store, SIZE)
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

const dataPath = (): string => join(directory, '.reconcile', 'groups', `${client.file.group}.data`)
const filePath = (): string => join(directory, client.file.group)

/** Exit code, findings with their outcomes, and the sum. */
async function check(...flags: string[]): Promise<[code: number, entries: string[][], sum: Record<string, unknown>]> {
  let text = ''
  const code = await runCheck(['--check', directory, '--log', 'json', ...flags], (more) => {
    text += more
  })
  const lines: Record<string, unknown>[] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const entries = lines.slice(0, -1).map(({ finding, outcome }) => [String(finding), String(outcome)])
  return [code, entries, lines.at(-1) ?? {}]
}

/** One byte of a file becomes another. */
async function spoil(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(path, bytes)
}

test('where all agrees it says so, and what it has read', async () => {
  await client.claim(await client.upload(0, SIZE))
  await client.commit()
  const other = clientOf(store, SIZE)
  await other.claim(await other.upload(0, 2 * B))
  await other.upload(2 * B, 3 * B)
  await store.close()
  const sum = { checked: true, groups: 2, blocks: 3, files: 1, bytes: SIZE + 3 * B, repaired: 0, left: 0, noted: 0 }
  expect(await check()).toEqual([0, [], sum])
})

test('a block with other bytes is to come again, and the file comes out whole', async () => {
  await client.claim(await client.upload(0, SIZE))
  await store.close()
  await spoil(dataPath(), B + 9)
  expect((await check('--dry-run')).slice(0, 2)).toEqual([4, [['bytes-lost', 'left']]])
  expect((await check()).slice(0, 2)).toEqual([3, [['bytes-lost', 'repaired']]])
  expect((await check()).slice(0, 2)).toEqual([0, []])
  store = await startStore({ directory })
  client = new TestClient(store.endpoint, client.file, store.storeId)
  expect((await client.ask('status')).answer.bad).toEqual([{ start: B, end: 2 * B }])
  await client.claim(await client.upload(B, 2 * B, 'again'))
  expect((await client.commit()).answer.state).toBe('committed')
  expect((await readFile(filePath())).equals(client.file.bytes)).toBe(true)
})

test('bytes that are gone, cut commits and leftovers are repaired without a server', async () => {
  await client.claim(await client.upload(0, SIZE))
  await client.commit()
  const lost = clientOf(store, SIZE)
  await lost.upload(0, B)
  const ended = clientOf(store, SIZE)
  await ended.upload(0, B)
  await ended.ask('terminate')
  await store.close()
  const dataOf = (other: TestClient) => join(directory, '.reconcile', 'groups', `${other.file.group}.data`)
  await rename(filePath(), dataPath())
  await rm(`${filePath()}.json`)
  await rm(dataOf(lost))
  await writeFile(dataOf(ended), 'left')
  const [code, entries] = await check()
  expect([code, entries.sort()]).toEqual([
    3,
    [
      ['bytes-lost', 'repaired'],
      ['commit-cut', 'repaired'],
      ['data-left', 'repaired'],
    ],
  ])
  expect((await readFile(filePath())).equals(client.file.bytes)).toBe(true)
  expect((await check()).slice(0, 2)).toEqual([0, []])
})

test('placeholders of files that never came are removed: of a commit, and of a file made of parts', async () => {
  await client.claim(await client.upload(0, SIZE))
  await client.commit()
  await store.close()
  await rename(filePath(), dataPath())
  await rm(`${filePath()}.json`)
  for (const path of [filePath(), join(directory, 'made-of-parts')]) await writeFile(path, PLACEHOLDER)
  const left = ['placeholder-left', 'left']
  expect((await check('--dry-run'))[1].sort()).toEqual([['commit-cut', 'left'], left, left])
  const removed = ['placeholder-left', 'repaired']
  expect((await check())[1].sort()).toEqual([['commit-cut', 'repaired'], removed, removed])
  expect((await check()).slice(0, 2)).toEqual([0, []])
  expect((await readFile(filePath())).equals(client.file.bytes)).toBe(true)
  await expect(stat(join(directory, 'made-of-parts'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a committed file with other bytes is told and left, one that was deleted is noted', async () => {
  await client.claim(await client.upload(0, SIZE))
  await client.commit()
  await store.close()
  await spoil(filePath(), SIZE - 1)
  const spoilt = await readFile(filePath())
  expect((await check()).slice(0, 2)).toEqual([4, [['file-differs', 'left']]])
  expect((await readFile(filePath())).equals(spoilt)).toBe(true)
  await rm(filePath())
  expect((await check()).slice(0, 2)).toEqual([0, [['file-gone', 'noted']]])
})

test('damaged records are told, and dropped with what only they know', async () => {
  await client.upload(0, 2 * B)
  await store.close()
  const entries = new LevelEntries({ directory: join(directory, '.reconcile', 'index') })
  await entries.open()
  await entries.write(new Map([[`group/${client.file.group}/detail/block/00000000001`, 'nonsense']]))
  await entries.close()
  await expect(startStore({ directory })).rejects.toMatchObject({
    code: 'damaged-records',
    message: expect.stringContaining('--check'),
  })
  expect((await check('--dry-run')).slice(0, 2)).toEqual([4, [['damaged-record', 'left']]])
  expect((await check()).slice(0, 2)).toEqual([3, [['damaged-record', 'repaired']]])
  store = await startStore({ directory })
  client = new TestClient(store.endpoint, client.file, store.storeId)
  expect((await client.ask('status')).answer.stored).toEqual([{ start: 0, end: B }])
})

test('an index that cannot be opened is rebuilt of what can be read, and kept', async () => {
  await client.claim(await client.upload(0, SIZE))
  await store.close()
  await writeFile(join(directory, '.reconcile', 'index', 'CURRENT'), 'nonsense')
  await expect(check('--dry-run')).rejects.toThrow(/damaged: without --dry-run/)
  expect((await check()).slice(0, 2)).toEqual([3, [['damaged-index', 'repaired']]])
  expect((await readdir(join(directory, '.reconcile'))).filter((name) => name.startsWith('index'))).toEqual([
    'index',
    expect.stringMatching(/^index\.damaged-/),
  ])
  store = await startStore({ directory })
  client = new TestClient(store.endpoint, client.file, store.storeId)
  expect((await client.commit()).answer.state).toBe('committed')
  expect((await readFile(filePath())).equals(client.file.bytes)).toBe(true)
})

test('an index that has lost its beginning is damaged and no new one, and is rebuilt', async () => {
  await client.claim(await client.upload(0, SIZE))
  await store.close()
  await rm(join(directory, '.reconcile', 'index', 'CURRENT'))
  await expect(startStore({ directory })).rejects.toMatchObject({ code: 'damaged-index' })
  expect((await check()).slice(0, 2)).toEqual([3, [['damaged-index', 'repaired']]])
  store = await startStore({ directory })
  client = new TestClient(store.endpoint, client.file, store.storeId)
  expect((await client.commit()).answer.state).toBe('committed')
})

test('a folder that is not there is told and not made', async () => {
  const folder = join(directory, 'not-there')
  await expect(runCheck(['--check', folder], () => {})).rejects.toThrow(/finds no records there/)
  await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('bytes without a record are noted while they are young, and removed when they are old', async () => {
  await store.close()
  const orphan = join(directory, '.reconcile', 'groups', 'AAAAAAAAAAAAAAAAAAAAAA.data')
  await writeFile(orphan, 'whose')
  expect((await check()).slice(0, 2)).toEqual([0, [['no-record', 'noted']]])
  const old = Date.now() / 1000 - 7200
  await utimes(orphan, old, old)
  expect((await check('--expire', '1h', '--dry-run')).slice(0, 2)).toEqual([4, [['no-record', 'left']]])
  expect((await check('--expire', '1h')).slice(0, 2)).toEqual([3, [['no-record', 'repaired']]])
  await expect(stat(orphan)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a directory that is served, or that holds no records, is refused by its name', async () => {
  await expect(runCheck(['--check', directory], () => {})).rejects.toThrow(/in use/)
  await expect(runCheck(['--check', join(directory, 'no')], () => {})).rejects.toThrow(/finds no records/)
})

test('for people it is one line for each finding, and the sum', async () => {
  await client.upload(0, B)
  await store.close()
  await rm(dataPath())
  let text = ''
  await runCheck(['--check', directory], (more) => {
    text += more
  })
  expect(text.split('\n')).toEqual([
    `repaired bytes-lost group=${client.file.group}: there are no bytes, more were recorded`,
    '1 groups, 0 blocks and 0 files read (0 bytes): 1 repaired, 0 left, 0 noted',
    '',
  ])
})
