import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadStoreId } from './store-id.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-store-id-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('a store has one name from the first start on', async () => {
  const path = join(directory, 'own', 'store-id')
  const id = await loadStoreId(path)
  expect(id).toMatch(/^[\w-]{22}$/)
  expect(await loadStoreId(path)).toBe(id)
})

test('a name that is damaged is told with its place and what to do', async () => {
  const path = join(directory, 'store-id')
  for (const text of ['', 'no store id']) {
    await writeFile(path, text)
    await expect(loadStoreId(path)).rejects.toThrow(`${path} holds no Store-Id: write back`)
  }
})
