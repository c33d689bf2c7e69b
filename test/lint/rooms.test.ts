import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ORCHESTRATION = fileURLToPath(new URL('../../packages/uppy-adaptive/src/orchestration', import.meta.url))
/** Names the types of all that a transfer is made of, so that its parts can be told of each other: it stands on nothing at run time. */
const SHARED = 'transfer-context.ts'
/** What lies in no room. */
const SURFACE = '.'

function roomOf(file: string): string {
  const [first, second] = relative(ORCHESTRATION, file).split(sep)
  return second === undefined ? SURFACE : (first ?? SURFACE)
}

/** Of each room the rooms that it imports from. */
async function readRooms(): Promise<Map<string, Set<string>>> {
  const rooms = new Map<string, Set<string>>()
  for (const name of await readdir(ORCHESTRATION, { recursive: true })) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts') || name === SHARED) continue
    const file = join(ORCHESTRATION, name)
    const room = roomOf(file)
    const known = rooms.get(room) ?? new Set<string>()
    rooms.set(room, known)
    for (const [, from = ''] of (await readFile(file, 'utf8')).matchAll(/ from '(\.[^']+)'/g)) {
      const imported = resolve(dirname(file), from)
      if (imported.startsWith(ORCHESTRATION + sep) && roomOf(imported) !== room) known.add(roomOf(imported))
    }
  }
  return rooms
}

test('the rooms of orchestration/ stand on one another one way', async () => {
  const rooms = await readRooms()
  expect(rooms.size).toBeGreaterThan(5)
  expect(rooms.get('upload')).toContain('transfer')
  // who stands on none that is left goes out, until none is left: of a circle nobody could
  for (let gone: string[] = ['']; gone.length > 0; ) {
    gone = [...rooms].flatMap(([room, others]) => ([...others].some((other) => rooms.has(other)) ? [] : [room]))
    for (const room of gone) rooms.delete(room)
  }
  expect(Object.fromEntries(rooms)).toEqual({})
})
