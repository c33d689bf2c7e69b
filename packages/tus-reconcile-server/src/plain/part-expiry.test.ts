import { DataStore, Upload } from '@tus/utils'
import { expect, onTestFinished, test, vi } from 'vitest'
import { PartExpiry } from './part-expiry.js'

/** Of whose uploads all are whole, and long so. */
class OldStore extends DataStore {
  override extensions = ['expiration']
  override async getUpload(id: string): Promise<Upload> {
    return new Upload({ id, size: 1, offset: 1 })
  }
  override getExpiration(): number {
    return 1
  }
}

test('a part that cannot be removed does not keep the others', async () => {
  const parts = new PartExpiry(new OldStore())
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  for (const id of ['a', 'b', 'c']) parts.noteFinished(id)
  vi.setSystemTime(Date.now() + 2)
  const removed: string[] = []
  const remove = async (id: string) => {
    if (id === 'a') throw new Error('denied')
    removed.push(id)
  }
  await expect(parts.expire(remove)).rejects.toThrow('denied')
  expect(removed).toEqual(['b', 'c'])
})
