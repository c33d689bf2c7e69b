import { rm } from 'node:fs/promises'
import { afterEach, beforeEach } from 'vitest'
import { TestClient, TestFile } from './client.js'
import { startStore, type TestStore, type TestStoreOptions } from './server.js'

/** A client of a new file of `size` bytes, whose home is `store`. */
export function clientOf(store: TestStore, size: number): TestClient {
  return new TestClient(store.endpoint, new TestFile(size), store.storeId)
}

/** For a test file: stores that end with the test that opened, or kept, them. Their directories go too. */
export function testStores(): {
  open(options?: TestStoreOptions): Promise<TestStore>
  keep(...stores: readonly TestStore[]): void
} {
  const opened: TestStore[] = []
  afterEach(async () => {
    const stores = opened.splice(0)
    // one that has the directory of one before it ends first
    for (const store of stores.toReversed()) await store.close()
    await Promise.all(stores.map(({ directory }) => rm(directory, { recursive: true, force: true })))
  })
  return {
    open: async (options = {}) => {
      const store = await startStore(options)
      opened.push(store)
      return store
    },
    keep: (...stores) => {
      opened.push(...stores)
    },
  }
}

/** For a test file: a new store for each test, which ends with it. */
export function freshStore(): { readonly store: TestStore; clientOf(size: number): TestClient } {
  const { open } = testStores()
  let store: TestStore | undefined
  beforeEach(async () => {
    store = await open()
  })
  const fresh = {
    get store(): TestStore {
      if (!store) throw new Error('a store opens before each test, not before')
      return store
    },
    clientOf: (size: number) => clientOf(fresh.store, size),
  }
  return fresh
}
