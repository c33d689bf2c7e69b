import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Journal, type JournalEntry } from './journal.js'
import type { JournalStorage, Source } from './ports.js'

const ENDPOINT = 'https://up.example.com/files'
const ENTRY: JournalEntry = {
  version: 1,
  group: 'g'.repeat(22),
  homeId: 'h'.repeat(22),
  sizeBytes: 17,
  startedAt: 1_700_000_000_000,
}

function sourceNamed(fingerprint: string | undefined): Source {
  return {
    sizeBytes: 17,
    contentType: undefined,
    fingerprint,
    body: () => undefined,
    read: async () => new Uint8Array(),
    close: async () => {},
  }
}

function memory(): { storage: JournalStorage; texts: Map<string, string> } {
  const texts = new Map<string, string>()
  const storage: JournalStorage = {
    get: async (key) => texts.get(key),
    set: async (key, value) => {
      texts.set(key, value)
    },
    delete: async (key) => {
      texts.delete(key)
    },
  }
  return { storage, texts }
}

test('what is remembered is recalled by another instance, until it is forgotten', async () => {
  const { storage, texts } = memory()
  await new Journal(storage, sourceNamed('file:a'), ENDPOINT).remember(ENTRY)
  const other = new Journal(storage, sourceNamed('file:a'), ENDPOINT)
  expect(await other.recall()).toEqual(ENTRY)
  await other.forget()
  expect(await other.recall()).toBeUndefined()
  expect(texts.size).toBe(0)
})

test('another file, or the same file to another server, is another upload', async () => {
  const { storage } = memory()
  await new Journal(storage, sourceNamed('file:a'), ENDPOINT).remember(ENTRY)
  expect(await new Journal(storage, sourceNamed('file:b'), ENDPOINT).recall()).toBeUndefined()
  expect(await new Journal(storage, sourceNamed('file:a'), 'https://eu.example.com/files').recall()).toBeUndefined()
})

test('names are stored, and nothing that is secret or large', async () => {
  const { storage, texts } = memory()
  await new Journal(storage, sourceNamed('file:a'), ENDPOINT).remember(ENTRY)
  const [text = ''] = texts.values()
  expect(Object.keys(JSON.parse(text)).sort()).toEqual(['group', 'homeId', 'sizeBytes', 'startedAt', 'version'])
})

test.each([
  ['without storage', undefined, 'file:a'],
  ['for a file without a name', memory().storage, undefined],
])('%s nothing is remembered, and nothing fails', async (_what, storage, fingerprint) => {
  const journal = new Journal(storage, sourceNamed(fingerprint), ENDPOINT)
  await journal.remember(ENTRY)
  expect(await journal.recall()).toBeUndefined()
  await expect(journal.forget()).resolves.toBeUndefined()
})

test.each([
  [''],
  ['{'],
  ['null'],
  ['[]'],
  ['17'],
  [JSON.stringify({ ...ENTRY, version: 2 })],
  [JSON.stringify({ ...ENTRY, group: 5 })],
  [JSON.stringify({ ...ENTRY, sizeBytes: '17' })],
  [JSON.stringify({ version: 1 })],
])('the damaged entry %j is as good as none', async (text) => {
  const { storage } = memory()
  const journal = new Journal(storage, sourceNamed('file:a'), ENDPOINT)
  await storage.set(`${ENDPOINT}|file:a`, text)
  expect(await journal.recall()).toBeUndefined()
  await journal.remember(ENTRY)
  expect(await journal.recall()).toEqual(ENTRY)
})

test('whatever text is found, recalling does not fail', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
      const { storage } = memory()
      await storage.set(`${ENDPOINT}|file:a`, text)
      const entry = await new Journal(storage, sourceNamed('file:a'), ENDPOINT).recall()
      expect(entry === undefined || entry.version === 1).toBe(true)
    }),
  )
})
