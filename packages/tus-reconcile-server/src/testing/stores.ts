import { afterEach } from 'vitest'
import { startStore, type TestStore, type TestStoreOptions } from './server.js'

/** For a test file: stores that end with the test that opened, or kept, them. */
export function testStores(): {
  open(options?: TestStoreOptions): Promise<TestStore>
  keep(...stores: readonly TestStore[]): void
} {
  const opened: TestStore[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
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
