import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type ContentPlace, MAX_PLACES } from './content-index.js'
import { keysUnder, type OrderedEntries } from './ordered-entries.js'
import { formatValue, parseEntry } from './record-entries.js'
import { PlacesSchema } from './record-schemas.js'
import type { ContentStep } from './write-queue.js'

/*
 * content/<SHA-256 of the scope>/<leaf>: places, newest first
 * stored/<file>/<SHA-256 of the scope>/<leaf>: what is to be looked through when the file goes
 */

type Place = readonly [fileId: string, block: number]

export async function findContents(
  entries: OrderedEntries,
  scope: string,
  leaves: readonly string[],
): Promise<ReadonlyMap<string, readonly ContentPlace[]>> {
  const prefix = `content/${scopeKey(scope)}/`
  const values = await entries.getMany(leaves.map((leaf) => prefix + leaf))
  const found = new Map<string, readonly ContentPlace[]>()
  leaves.forEach((leaf, i) => {
    const places = parsePlaces(values[i]).map(([fileId, block]) => ({ fileId, block }))
    if (places.length > 0) found.set(leaf, places)
  })
  return found
}

/** Adds to `writes` what the steps change, in their order. */
export async function formatContents(
  entries: OrderedEntries,
  steps: readonly ContentStep[],
  writes: Map<string, string | null>,
): Promise<void> {
  const places = new Places(entries, writes)
  for (const step of steps) {
    if (step.kind === 'put') await places.put(step.entries)
    else await places.removeFile(step.fileId)
  }
}

/** Reads through what is to be written. */
class Places {
  readonly #entries: OrderedEntries
  readonly #writes: Map<string, string | null>

  constructor(entries: OrderedEntries, writes: Map<string, string | null>) {
    this.#entries = entries
    this.#writes = writes
  }

  async put(added: Extract<ContentStep, { kind: 'put' }>['entries']): Promise<void> {
    const keys = added.map(({ scope, leaf }) => `${scopeKey(scope)}/${leaf}`)
    const known = await this.#read(keys)
    added.forEach(({ fileId, block }, i) => {
      const key = keys[i] ?? ''
      const others = (known.get(key) ?? []).filter(([file]) => file !== fileId)
      const added: Place = [fileId, block]
      const places = [added, ...others].slice(0, MAX_PLACES)
      known.set(key, places)
      this.#writes.set(`content/${key}`, formatValue(places))
      this.#writes.set(`stored/${encodeURIComponent(fileId)}/${key}`, formatValue(null))
    })
  }

  async removeFile(fileId: string): Promise<void> {
    const prefix = `stored/${encodeURIComponent(fileId)}/`
    const stored = new Set<string>()
    for await (const [key] of this.#entries.entries(keysUnder(prefix))) stored.add(key)
    for (const [key, value] of this.#writes) if (key.startsWith(prefix) && value !== null) stored.add(key)
    const known = await this.#read([...stored].map((key) => key.slice(prefix.length)))
    for (const [key, places] of known) {
      const others = places.filter(([file]) => file !== fileId)
      this.#writes.set(`content/${key}`, others.length > 0 ? formatValue(others) : null)
    }
    for (const key of stored) this.#writes.set(key, null)
  }

  async #read(keys: readonly string[]): Promise<Map<string, readonly Place[]>> {
    const unique = [...new Set(keys)]
    const values = await this.#entries.getMany(unique.map((key) => `content/${key}`))
    return new Map(
      unique.map((key, i) => {
        const written = this.#writes.get(`content/${key}`)
        return [key, parsePlaces(written === undefined ? values[i] : (written ?? undefined))]
      }),
    )
  }
}

/** Of a hint that cannot be read nothing is known. */
function parsePlaces(value: string | undefined): readonly Place[] {
  if (value === undefined) return []
  try {
    return v.parse(PlacesSchema, parseEntry(value))
  } catch {
    return []
  }
}

function scopeKey(scope: string): string {
  return createHash('sha256').update(scope).digest('base64url')
}
