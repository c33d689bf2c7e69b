import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { loadStoreId } from './store-id.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-store-id-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('a store has one name from the first start on', async () => {
  const path = join(directory, 'own', 'store-id')
  const id = await loadStoreId(path, false)
  expect(id).toMatch(/^[\w-]{22}$/)
  expect(await loadStoreId(path, false)).toBe(id)
})

test('where it is to be durable its bytes and its folders are synced, once', async () => {
  const handle = await open(directory)
  const synced = vi.spyOn(Object.getPrototypeOf(handle), 'sync')
  const datasynced = vi.spyOn(Object.getPrototypeOf(handle), 'datasync')
  onTestFinished(() => void vi.restoreAllMocks())
  await handle.close()
  const counts = () => [datasynced.mock.calls.length, synced.mock.calls.length]
  await loadStoreId(join(directory, 'process', 'store-id'), false)
  expect(counts()).toEqual([0, 0])
  const path = join(directory, 'disk', 'store-id')
  const id = await loadStoreId(path, true)
  expect(await loadStoreId(path, true)).toBe(id)
  // Windows opens no directory as a file
  expect(counts()).toEqual([1, process.platform === 'win32' ? 0 : 2])
})

test('a name that is damaged is told with its place and what to do', async () => {
  const path = join(directory, 'store-id')
  for (const text of ['', 'no store id']) {
    await writeFile(path, text)
    await expect(loadStoreId(path, false)).rejects.toThrow(`${path} holds no Store-Id: write back`)
  }
})
