import { expect, test } from 'vitest'
import type { JournalStorage } from '../ports.js'
import { BodyLimits } from './body-limits.js'

const HOST = 'https://up.example.com/files'
const KIB = 1024
const MIB = 1024 * KIB
const DAY_MS = 24 * 60 * 60 * 1000

function memory(): JournalStorage & { readonly entries: Map<string, string> } {
  const entries = new Map<string, string>()
  return {
    entries,
    get: async (key) => entries.get(key),
    set: async (key, value) => void entries.set(key, value),
    delete: async (key) => void entries.delete(key),
  }
}

async function limits(storage: JournalStorage | undefined, epochMs = 0): Promise<BodyLimits> {
  const made = new BodyLimits({ clock: { epochMs: () => epochMs }, storage })
  await made.recall()
  return made
}

test.each([
  [1 * MIB, 64 * MIB],
  [1_000_000, 64 * MIB],
  [1 * MIB, 2 * MIB],
  [256 * KIB, 64 * MIB],
  [100_000_000, 128 * MIB],
])('a host that takes %i bytes at once refuses two bodies of up to %i at most, ever', async (limit, largest) => {
  expect(await wastedBy('refused', limit, largest)).toBeLessThanOrEqual(2)
  // a page is told of no refusal, only that a body has vanished
  expect(await wastedBy('vanished', limit, largest)).toBeLessThanOrEqual(2)
})

/** How many bodies a host with that limit refuses in four uploads, each of another page. */
async function wastedBy(how: 'refused' | 'vanished', limit: number, largest: number): Promise<number> {
  const storage = memory()
  let wasted = 0
  for (let upload = 0; upload < 4; upload++) {
    const bodies = await limits(storage)
    for (let i = 0; i < 10; i++) {
      const bytes = Math.min(largest, bodies.largest(HOST, undefined))
      if (bytes <= limit) bodies.took(HOST, bytes)
      else {
        wasted += 1
        if (how === 'refused') bodies.refused(HOST, bytes, undefined)
        else bodies.vanished(HOST, bytes)
      }
    }
  }
  expect(wasted).toBeGreaterThan(0)
  return wasted
}

test('one body that vanished limits no other upload, and is forgotten when as large a one arrives', async () => {
  const storage = memory()
  const first = await limits(storage)
  first.vanished(HOST, 4 * MIB)
  const second = await limits(storage)
  expect(second.largest(HOST, undefined)).toBe(Number.POSITIVE_INFINITY)
  second.took(HOST, 4 * MIB)
  const third = await limits(storage)
  third.vanished(HOST, 8 * MIB)
  expect((await limits(storage)).largest(HOST, undefined)).toBe(Number.POSITIVE_INFINITY)
})

test('what a 413 names is of no use where it is more than was refused', async () => {
  const bodies = await limits(undefined)
  bodies.refused(HOST, 2 * MIB, 4 * MIB)
  expect(bodies.largest(HOST, undefined)).toBe(MIB)
})

test("beyond it, Cloudflare's 100 MB are tried first", async () => {
  const bodies = await limits(undefined)
  bodies.refused(HOST, 500 * MIB, undefined)
  expect(bodies.largest(HOST, undefined)).toBe(100_000_000)
})

test('several bodies that vanished alike are remembered at once', async () => {
  const storage = memory()
  const bodies = await limits(storage)
  bodies.vanished(HOST, 4 * MIB, 2)
  expect((await limits(storage)).largest(HOST, undefined)).toBe(MIB)
})

test('a body that passed is the size to go on with, and refusals that come together count as one', async () => {
  const bodies = await limits(undefined)
  bodies.took(HOST, 3 * MIB)
  bodies.refused(HOST, 4 * MIB, undefined)
  bodies.refused(HOST, 4 * MIB, undefined)
  expect(bodies.largest(HOST, undefined)).toBe(3 * MIB)
})

test('bodies that vanish make them smaller at once, and are remembered from the second on', async () => {
  const storage = memory()
  const bodies = await limits(storage)
  bodies.vanished(HOST, 4 * MIB)
  expect(bodies.largest(HOST, undefined)).toBe(MIB)
  expect((await limits(storage)).largest(HOST, undefined)).toBe(Number.POSITIVE_INFINITY)
  bodies.vanished(HOST, MIB)
  expect(bodies.largest(HOST, undefined)).toBe(256 * KIB)
  expect((await limits(storage)).largest(HOST, undefined)).toBe(256 * KIB)
})

test('a body no larger than one that arrived has vanished for another reason', async () => {
  const bodies = await limits(undefined)
  bodies.took(HOST, 4 * MIB)
  bodies.vanished(HOST, 4 * MIB)
  expect(bodies.largest(HOST, undefined)).toBe(Number.POSITIVE_INFINITY)
})

test('what the server announces goes before what vanished, and not before what it refused', async () => {
  const bodies = await limits(undefined)
  bodies.vanished(HOST, 8 * MIB)
  expect(bodies.largest(HOST, 6 * MIB)).toBe(6 * MIB)
  bodies.refused(HOST, 6 * MIB, undefined)
  expect(bodies.largest(HOST, 6 * MIB)).toBe(MIB)
  bodies.refused(HOST, MIB, 300_000)
  expect(bodies.largest(HOST, 6 * MIB)).toBe(300_000)
})

test('it is kept for a month, by host, and of 32 hosts', async () => {
  const storage = memory()
  const bodies = await limits(storage)
  for (let i = 0; i < 40; i++) bodies.refused(`https://h${i}.example.com/files`, 2 * MIB, undefined)
  expect((await limits(storage, 29 * DAY_MS)).largest('https://h3.example.com/other', undefined)).toBe(MIB)
  expect((await limits(storage, 31 * DAY_MS)).largest('https://h3.example.com/files', undefined)).toBe(
    Number.POSITIVE_INFINITY,
  )
  expect(Object.keys(JSON.parse(storage.entries.get('body-limits') ?? '').hosts).length).toBe(32)
})

test('what was only guessed is kept for a week', async () => {
  const storage = memory()
  const bodies = await limits(storage)
  for (const bytes of [4 * MIB, MIB]) bodies.vanished(HOST, bytes)
  expect((await limits(storage, 6 * DAY_MS)).largest(HOST, undefined)).toBe(256 * KIB)
  expect((await limits(storage, 8 * DAY_MS)).largest(HOST, undefined)).toBe(Number.POSITIVE_INFINITY)
})

test.each(['', '[', '{"version":2}', '{"version":1,"hosts":{"x":{"bytes":-1,"isSaid":true,"savedAt":0}}}'])(
  'a memory that reads %j is none',
  async (text) => {
    const storage = memory()
    await storage.set('body-limits', text)
    expect((await limits(storage)).largest(HOST, undefined)).toBe(Number.POSITIVE_INFINITY)
  },
)

test('what is known of a host by its name bounds bodies, also below what the server announces, and no refusal is forgotten', async () => {
  const endpoint = 'https://files-abc-ew.a.run.app/files'
  const bodies = await limits(undefined)
  expect([undefined, 64 * MIB, 16 * MIB].map((announced) => bodies.largest(endpoint, announced))).toEqual([
    32 * MIB,
    32 * MIB,
    16 * MIB,
  ])
  bodies.refused(endpoint, 32 * MIB, 8 * MIB)
  expect(bodies.largest(endpoint, 64 * MIB)).toBe(8 * MIB)
})
