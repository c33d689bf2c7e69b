import { stat } from 'node:fs/promises'
import type { DataStore, Upload } from '@tus/utils'
import { isPartialId } from './partial-uploads.js'

/**
 * Finished partial uploads of which no final one was made end with the expiry of their store, counted from their last
 * byte. They are found where the store can list its uploads, as FileStore and RangeStore can; of others those are known
 * that this process has seen finished.
 */
export class PartExpiry {
  readonly #store: DataStore
  /** When each got its last byte here. Epoch milliseconds. */
  readonly #finishedAt = new Map<string, number>()
  /** By how many requests each is being read. */
  readonly #used = new Map<string, number>()
  readonly #ending = new Map<string, Promise<unknown>>()

  constructor(store: DataStore) {
    this.#store = store
  }

  noteFinished(id: string): void {
    this.#finishedAt.set(id, Date.now())
  }

  noteRemoved(id: string): void {
    this.#finishedAt.delete(id)
  }

  /** None of them expires before `task` has ended. Those that are expiring now are gone when it begins. */
  async using<T>(ids: readonly string[], task: () => Promise<T>): Promise<T> {
    for (const id of ids) this.#used.set(id, (this.#used.get(id) ?? 0) + 1)
    try {
      await Promise.allSettled(ids.map((id) => this.#ending.get(id)))
      return await task()
    } finally {
      for (const id of ids) this.#release(id)
    }
  }

  /** Whether any is being read. */
  get areUsed(): boolean {
    return this.#used.size > 0
  }

  /** Returns how many have ended. @throws what the first could not be removed for, after all the others */
  async expire(remove: (id: string) => Promise<void>): Promise<number> {
    const store = this.#store
    if (!store.hasExtension('expiration') || store.getExpiration() <= 0) return 0
    let ended = 0
    const failures: unknown[] = []
    for (const id of new Set([...this.#finishedAt.keys(), ...(await listParts(store))])) {
      if (!(await this.#isExpired(id)) || this.#used.has(id)) continue
      const ending = remove(id).finally(() => this.#ending.delete(id))
      this.#ending.set(id, ending)
      await ending.then(
        () => {
          ended++
        },
        (cause: unknown) => failures.push(cause),
      )
    }
    if (failures.length > 0) throw failures[0]
    return ended
  }

  async #isExpired(id: string): Promise<boolean> {
    const store = this.#store
    const upload = await store.getUpload(id).catch(() => undefined)
    if (!upload) this.noteRemoved(id)
    if (!upload || upload.offset !== upload.size) return false
    const lastByteAt = this.#finishedAt.get(id) ?? (await changedAt(upload))
    return lastByteAt + store.getExpiration() < Date.now()
  }

  #release(id: string): void {
    const left = (this.#used.get(id) ?? 1) - 1
    if (left > 0) this.#used.set(id, left)
    else this.#used.delete(id)
  }
}

async function listParts(store: DataStore): Promise<readonly string[]> {
  return canList(store) ? ((await store.configstore.list?.()) ?? []).filter(isPartialId) : []
}

function canList(store: DataStore): store is DataStore & { configstore: { list?: () => Promise<string[]> } } {
  return 'configstore' in store && typeof store.configstore === 'object' && store.configstore !== null
}

/** When an upload that was finished by an earlier process got its last byte. Never, where that cannot be told. */
async function changedAt({ storage, creation_date }: Upload): Promise<number> {
  const file = storage?.type === 'file' ? await stat(storage.path).catch(() => undefined) : undefined
  return file?.mtimeMs ?? Date.parse(creation_date ?? '')
}
