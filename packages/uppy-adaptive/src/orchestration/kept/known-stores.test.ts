import { expect, test } from 'vitest'
import { sha256 } from '../../testing/known-bytes.js'
import { MemoryJournal } from '../../testing/memory-journal.js'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { KnownStores } from './known-stores.js'

const DAY_MS = 24 * 60 * 60_000
const ADDRESS = 'https://up.example.com:8443/files'

/** A page with a storage; `load` is another page with the same one. */
function remembering() {
  const clock = new SimulatedClock()
  const storage = new MemoryJournal()
  const load = async () => {
    const stores = new KnownStores({ clock, digester: sha256, storage })
    await stores.recall()
    return stores
  }
  return { clock, storage, load, text: () => storage.texts.get('stores') ?? '' }
}

test('what an address led to is known after a reload, for a day since it was said last', async () => {
  const { clock, load } = remembering()
  const first = await load()
  await first.note(ADDRESS, 's1')
  expect(await first.storeOf(ADDRESS)).toBe('s1')
  await clock.run(DAY_MS - 1)
  const second = await load()
  expect(await second.storeOf(ADDRESS)).toBe('s1')
  await second.note(ADDRESS, 's1')
  await clock.run(DAY_MS - 1)
  expect(await (await load()).storeOf(ADDRESS)).toBe('s1')
  await clock.run(1)
  expect(await (await load()).storeOf(ADDRESS)).toBeUndefined()
})

test('the last word counts', async () => {
  const { load } = remembering()
  const first = await load()
  await first.note(ADDRESS, 's1')
  await first.note(ADDRESS, 's2')
  expect(await (await load()).storeOf(ADDRESS)).toBe('s2')
})

test('each address is another, by its path and its query too, and none of it can be read', async () => {
  const { load, text } = remembering()
  const stores = await load()
  await stores.note('https://user:hush@up.example.com/files?token=hush', 's1')
  await stores.note('https://up.example.com/files', 's2')
  expect(text()).toContain('s1')
  expect(text()).not.toMatch(/hush|user|example|files/)
  expect(await stores.storeOf('https://up.example.com/files')).toBe('s2')
  expect(await stores.storeOf('https://up.example.com/others')).toBeUndefined()
})

test('of many addresses the last 32 are kept, and no name that is longer than names are', async () => {
  const { load, text } = remembering()
  const stores = await load()
  for (let i = 0; i < 40; i++) await stores.note(`https://h${i}.test/files`, `s${i}`)
  await stores.note(ADDRESS, 's'.repeat(300))
  const kept = Object.values<{ store: string }>(JSON.parse(text()).addresses)
  expect(kept.map(({ store }) => store)).toEqual(Array.from({ length: 32 }, (_, i) => `s${i + 8}`))
})

test('a storage that fails, or holds what is none of ours, is none', async () => {
  const { load, storage } = remembering()
  for (const text of ['{', '{"version":2}', JSON.stringify({ version: 1, addresses: { [ADDRESS]: { store: 1 } } })]) {
    storage.texts.set('stores', text)
    expect(await (await load()).storeOf(ADDRESS)).toBeUndefined()
  }
  storage.fault = new Error('full')
  const stores = await load()
  await stores.note(ADDRESS, 's1')
  expect(await stores.storeOf(ADDRESS)).toBe('s1')
})
