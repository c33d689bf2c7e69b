import fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { sha256 } from '../../testing/known-bytes.js'
import { MemoryJournal } from '../../testing/memory-journal.js'
import { MemorySource } from '../../testing/memory-source.js'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { strictLog } from '../../testing/strict-log.js'
import type { Source } from '../ports.js'
import type { Whereabouts } from './journal.js'
import { Journal } from './journal.js'

const ENDPOINT = 'https://up.example.com/files?token=secret'
const GROUP: Whereabouts = { kind: 'group', group: 'g'.repeat(22), homeId: 'h'.repeat(22) }
const PLAIN: Whereabouts = { kind: 'plain', url: 'https://up.example.com/files/1' }
const DAY_MS = 24 * 60 * 60 * 1000

function journal(o: { storage?: MemoryJournal; endpoint?: string; epochMs?: () => number } = {}) {
  const clock = new SimulatedClock()
  const { log, events } = strictLog(clock)
  const epochMs = o.epochMs ?? (() => 0)
  const parts = { clock: { epochMs }, digester: sha256, log, endpoint: o.endpoint ?? ENDPOINT }
  return { journal: new Journal({ ...parts, storage: o.storage }), events }
}

function fileNamed(fingerprint: string | undefined): Source {
  return Object.assign(new MemorySource(3 * BLOCK_SIZE + 5), { fingerprint, modifiedAt: 1_700_000_000_000 })
}

async function begin(storage: MemoryJournal, fingerprint: string, where = GROUP, epochMs = () => 0): Promise<void> {
  const { journal: begun } = journal({ storage, epochMs })
  await begun.open(fileNamed(fingerprint))
  await begun.remember(where)
}

async function recall(storage: MemoryJournal, fingerprint: string, endpoint = ENDPOINT) {
  return journal({ storage, endpoint }).journal.open(fileNamed(fingerprint))
}

test.each([GROUP, PLAIN])(
  'what is remembered is recalled by another instance, until it is forgotten: $kind',
  async (where) => {
    const storage = new MemoryJournal()
    await begin(storage, 'file:a', where)
    const { journal: other } = journal({ storage })
    const known = await other.open(fileNamed('file:a'))
    const file = { sizeBytes: 3 * BLOCK_SIZE + 5, modifiedAt: 1_700_000_000_000, mark: expect.any(String) }
    expect(known).toEqual({ entry: { version: 2, startedAt: 0, ...where, ...file }, file })
    expect(known?.entry.mark).toBe(known?.file.mark)
    await other.forget()
    expect(await recall(storage, 'file:a')).toBeUndefined()
    expect(storage.texts.size).toBe(0)
  },
)

test('another file, or the same file to another server, is another upload', async () => {
  const storage = new MemoryJournal()
  await begin(storage, 'file:a')
  expect(await recall(storage, 'file:b')).toBeUndefined()
  expect(await recall(storage, 'file:a', 'https://eu.example.com/files')).toBeUndefined()
})

test('neither the name of the file nor the address is stored, nor anything large', async () => {
  const storage = new MemoryJournal()
  await begin(storage, 'file:a secret name.pdf')
  const stored = [...storage.texts].flat().join('\n')
  expect(stored).not.toContain('secret')
  expect(stored.length).toBeLessThan(600)
})

test('a mark is of the first block, the last and some between: another one is noticed by a change of any of these', async () => {
  const source = new MemorySource(40 * BLOCK_SIZE)
  const markOf = async () => {
    const { journal: own } = journal({ storage: new MemoryJournal() })
    await own.open(source)
    await own.remember(GROUP)
    return (await own.open(source))?.file.mark
  }
  const before = await markOf()
  for (const at of [0, source.sizeBytes - 1, 6 * BLOCK_SIZE]) {
    source.bytes[at] = 77
    expect(await markOf()).not.toBe(before)
    source.bytes[at] = 1 + (Math.floor(at / BLOCK_SIZE) % 255)
    if (at === source.sizeBytes - 1) source.bytes[at] = 0
  }
  expect(await markOf()).toBe(before)
})

test('without a storage it remembers for as long as it lives', async () => {
  const { journal: alone } = journal()
  expect(await alone.open(fileNamed('file:a'))).toBeUndefined()
  await alone.remember(GROUP)
  expect(await alone.open(fileNamed('file:a'))).toMatchObject({ entry: GROUP })
})

test('of a file without a name nothing is remembered, and nothing fails', async () => {
  const storage = new MemoryJournal()
  const { journal: nameless } = journal({ storage })
  expect(await nameless.open(fileNamed(undefined))).toBeUndefined()
  await nameless.remember(GROUP)
  await nameless.forget()
  expect(storage.texts.size).toBe(0)
})

test('a storage that fails, at whatever it is asked, is one warning and fails nothing', async () => {
  const storage = new MemoryJournal()
  const { journal: denied, events } = journal({ storage })
  storage.fault = new Error('QuotaExceededError')
  expect(await denied.open(fileNamed('file:a'))).toBeUndefined()
  await denied.remember(GROUP)
  expect(await denied.open(fileNamed('file:a'))).toMatchObject({ entry: GROUP })
  await denied.forget()
  expect(events).toMatchObject([
    { type: 'warning', code: 'journal-failed', message: expect.stringContaining('QuotaExceededError') },
  ])
})

test('entries older than 30 days go when the next upload begins', async () => {
  const storage = new MemoryJournal()
  let nowMs = 0
  for (const name of ['old', 'new', 'newer']) {
    await begin(storage, name, GROUP, () => nowMs)
    nowMs += 20 * DAY_MS
  }
  expect(await recall(storage, 'old')).toBeUndefined()
  expect(await recall(storage, 'new')).toBeDefined()
  expect(storage.texts.size).toBe(3)
})

test('of many unfinished uploads the last 100 are kept, also of those that begin at once', async () => {
  const storage = new MemoryJournal()
  let nowMs = 0
  const names = Array.from({ length: 130 }, (_, i) => `file:${i}`)
  await Promise.all(names.map((name) => begin(storage, name, GROUP, () => nowMs++)))
  expect(storage.texts.size).toBe(101)
  const bytes = [...storage.texts].flat().reduce((sum, text) => sum + text.length, 0)
  expect(bytes).toBeLessThan(64 * 1024)
})

test('a URL that is longer than any sound one is not stored', async () => {
  const storage = new MemoryJournal()
  await begin(storage, 'file:a', { kind: 'plain', url: `https://a.example/${'x'.repeat(3_000)}` })
  expect(storage.texts.size).toBe(0)
})

test('whatever text is found, recalling does not fail, and what is no entry is as good as none', async () => {
  const wrong = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ version: fc.constantFrom(1, 2), kind: fc.constantFrom('group', 'plain'), sizeBytes: fc.anything() }),
  )
  await fc.assert(
    fc.asyncProperty(wrong, wrong, async (entry, index) => {
      const storage = new MemoryJournal()
      await begin(storage, 'file:a')
      for (const key of storage.texts.keys()) {
        const text = key === 'uploads' ? index : entry
        storage.texts.set(key, typeof text === 'string' ? text : JSON.stringify(text))
      }
      expect(await recall(storage, 'file:a')).toBeUndefined()
      await begin(storage, 'file:a')
      expect(await recall(storage, 'file:a')).toMatchObject({ entry: GROUP })
    }),
    { numRuns: 50 },
  )
})
