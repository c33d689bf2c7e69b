import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryJournal } from '../../testing/memory-journal.js'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { RouteHistory } from './route-history.js'

const MINUTE_MS = 60_000
const HOST = 'up.example.com:8443'
const ENDPOINT = `https://user:secret@${HOST}/files?token=secret`

/** A page with a storage; `load` is another page with the same one. */
function remembering() {
  const clock = new SimulatedClock()
  const storage = new MemoryJournal()
  const load = async () => {
    const history = new RouteHistory({ clock, storage, pasts: new Map() })
    await history.recall()
    return history
  }
  const kept = (): Record<string, object> => Object(JSON.parse(storage.texts.get('routes') ?? '{}')).hosts
  return { clock, storage, load, kept }
}

test('a route that was left is avoided after a reload, for five minutes', async () => {
  const { clock, load } = remembering()
  const first = await load()
  expect(first.isAvoided(ENDPOINT)).toBe(false)
  first.noteLeft(ENDPOINT)
  expect(first.isAvoided(ENDPOINT)).toBe(true)
  await clock.run(5 * MINUTE_MS - 1)
  expect((await load()).isAvoided(ENDPOINT)).toBe(true)
  await clock.run(1)
  expect((await load()).isAvoided(ENDPOINT)).toBe(false)
})

test('each further time it is avoided for twice as long, up to an hour; after a day all is forgotten', async () => {
  const { clock, load } = remembering()
  const minutes: number[] = []
  for (let times = 0; times < 6; times++) {
    const history = await load()
    history.noteLeft(ENDPOINT)
    let away = 0
    for (; history.isAvoided(ENDPOINT); away++) await clock.run(MINUTE_MS)
    minutes.push(away)
  }
  expect(minutes).toEqual([5, 10, 20, 40, 60, 60])
  await clock.run(24 * 60 * MINUTE_MS)
  const history = await load()
  history.noteLeft(ENDPOINT)
  await clock.run(5 * MINUTE_MS)
  expect(history.isAvoided(ENDPOINT)).toBe(false)
})

test('bytes that went by it clear it, and it is not forgotten that it was left', async () => {
  const { clock, load } = remembering()
  const first = await load()
  first.noteLeft(ENDPOINT)
  first.noteUsed(ENDPOINT)
  const second = await load()
  expect(second.isAvoided(ENDPOINT)).toBe(false)
  second.noteLeft(ENDPOINT)
  await clock.run(6 * MINUTE_MS)
  expect((await load()).isAvoided(ENDPOINT)).toBe(true)
})

test('what is kept is host names and figures, of 32 hosts, those left last', async () => {
  const { storage, load, kept } = remembering()
  const history = await load()
  history.noteLeft(ENDPOINT)
  expect(kept()).toEqual({ [HOST]: { leftAt: expect.any(Number), times: 1, isBack: false } })
  for (let i = 0; i < 40; i++) history.noteLeft(`https://up${i}.example.com/files`)
  expect(Object.keys(kept())).toEqual(Array.from({ length: 32 }, (_, i) => `up${i + 8}.example.com`))
  expect([...storage.texts.values()].join()).not.toContain('secret')
})

test('what is not left is not written', async () => {
  const { storage, load } = remembering()
  const history = await load()
  history.noteUsed(ENDPOINT)
  expect(storage.texts.size).toBe(0)
})

test('a storage that fails costs the memory alone', async () => {
  const { storage, load } = remembering()
  storage.fault = new Error('full')
  const history = await load()
  history.noteLeft(ENDPOINT)
  expect(history.isAvoided(ENDPOINT)).toBe(true)
})

test('whatever is stored, recalling it throws nothing', async () => {
  const past = fc.record({ leftAt: fc.anything(), times: fc.anything(), isBack: fc.anything() })
  const hosts = fc.dictionary(fc.string(), past)
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    hosts.map((given) => JSON.stringify({ version: 1, hosts: given })),
  )
  await fc.assert(
    fc.asyncProperty(text, async (stored) => {
      const { storage, load } = remembering()
      storage.texts.set('routes', stored)
      expect([true, false]).toContain((await load()).isAvoided(ENDPOINT))
    }),
  )
})
