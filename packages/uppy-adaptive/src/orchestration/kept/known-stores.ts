import { encodeDigest } from 'tus-reconcile-protocol'
import * as v from 'valibot'
import type { StoreId } from '../../partitioning/partition-plan.js'
import type { Clock, Digester, JournalStorage } from '../ports.js'
import { readStored } from './stored-json.js'

/** Beside the journal's entries, `uploads` and `upload:…`. */
const KEY = 'stores'
/** Guess: an address that has not answered for a day may be given to another server meanwhile. */
const EXPIRES_MS = 24 * 60 * 60_000
/** It is written again at most so often, or when something else is said. */
const RENEWED_MS = 60 * 60_000
const MOST_ADDRESSES = 32
/** Longer Store-Ids are not kept: names are short. */
const LONGEST_NAME = 256
const LONGEST_TEXT = 32 * 1024

const Name = v.pipe(v.string(), v.maxLength(LONGEST_NAME))
const Memory = v.object({
  version: v.literal(1),
  addresses: v.record(Name, v.object({ store: Name, saidAt: v.number() })),
})

interface Said {
  readonly store: StoreId
  /** By the wall clock, ms since 1970. */
  readonly saidAt: number
}

/**
 * Which store each address led to when it answered last, so that an address that is silent after a reload is known by
 * another one of its store. Of the last 32 addresses of a day, by their digests: nobody reads a path or a query there.
 */
export class KnownStores {
  readonly #clock: Pick<Clock, 'epochMs'>
  readonly #digester: Digester
  readonly #storage: JournalStorage | undefined
  readonly #addresses = new Map<string, Said>()

  constructor(o: {
    clock: Pick<Clock, 'epochMs'>
    digester: Digester
    storage: JournalStorage | undefined
  }) {
    this.#clock = o.clock
    this.#digester = o.digester
    this.#storage = o.storage
  }

  /** Once, before any server is asked. Never throws: without its memory an upload waits for the address. */
  async recall(): Promise<void> {
    const text = await this.#storage?.get(KEY).catch(() => undefined)
    const stored = readStored(Memory, text, { longestText: LONGEST_TEXT })
    for (const [address, said] of Object.entries(stored?.addresses ?? {})) this.#addresses.set(address, said)
  }

  /** The address has answered. Never throws. */
  async note(endpoint: string, store: StoreId): Promise<void> {
    if (!this.#storage || store.length > LONGEST_NAME) return
    const address = await this.#nameOf(endpoint)
    if (address === undefined) return
    const before = this.#addresses.get(address)
    if (before?.store === store && this.#ageMs(before) < RENEWED_MS) return
    this.#addresses.delete(address)
    this.#addresses.set(address, { store, saidAt: this.#clock.epochMs() })
    const [oldest] = this.#addresses.keys()
    if (this.#addresses.size > MOST_ADDRESSES && oldest !== undefined) this.#addresses.delete(oldest)
    const addresses = Object.fromEntries(this.#addresses)
    await this.#storage.set(KEY, JSON.stringify({ version: 1, addresses })).catch(() => {})
  }

  /** Undefined where nothing is known. */
  async storeOf(endpoint: string): Promise<StoreId | undefined> {
    if (this.#addresses.size === 0) return undefined
    const said = this.#addresses.get((await this.#nameOf(endpoint)) ?? '')
    return said && this.#ageMs(said) < EXPIRES_MS ? said.store : undefined
  }

  /** Undefined where nothing can be hashed. */
  #nameOf(endpoint: string): Promise<string | undefined> {
    return this.#digester.digest(new TextEncoder().encode(endpoint)).then(encodeDigest, () => undefined)
  }

  /** A clock that was put back knows nothing of when. */
  #ageMs({ saidAt }: Said): number {
    const ageMs = this.#clock.epochMs() - saidAt
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs
  }
}
