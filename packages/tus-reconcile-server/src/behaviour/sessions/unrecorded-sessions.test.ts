import { BLOCK_SIZE, BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { EntryIndex } from '../../records/entry-index.js'
import { MemoryEntries } from '../../records/memory-index.js'
import type { EntryWrites } from '../../records/ordered-entries.js'
import { RawRequest } from '../../testing/raw-request.js'
import { clientOf, testStores } from '../../testing/stores.js'

const stores = testStores()

/** A database that fails for a while. */
class BrokenEntries extends MemoryEntries {
  isBroken = false
  onFailure: () => void = () => {}
  override async write(writes: EntryWrites): Promise<void> {
    if (!this.isBroken) return super.write(writes)
    this.onFailure()
    throw new Error('no space')
  }
}

test('a creation that could not be recorded while its body came does not lose the body, and the session goes on', async () => {
  const entries = new BrokenEntries()
  const store = await stores.open({ reconcile: { index: new EntryIndex(entries) } })
  const client = clientOf(store, BLOCK_SIZE)
  const session = client.session(0, BLOCK_SIZE)
  const failed = new Promise<void>((resolve) => {
    entries.onFailure = resolve
  })
  entries.isBroken = true
  const raw = new RawRequest(store.endpoint, 'POST', {
    ...client.header(session),
    'Upload-Length': BLOCK_SIZE,
    'Content-Type': BODY_CONTENT_TYPE,
    'Content-Length': BLOCK_SIZE,
  })
  raw.socket.write(client.file.bytes.subarray(0, 10))
  await failed
  entries.isBroken = false
  raw.socket.write(client.file.bytes.subarray(10))
  await raw.until(/ 201 [\s\S]*\r\n\r\n/)
  raw.socket.destroy()
  expect(raw.text).toMatch(new RegExp(`upload-offset: ${BLOCK_SIZE}`, 'i'))
  const url = `${store.endpoint}/${client.file.group}.${session.id}`
  const head = await client.head({ ...session, url, attempt: 1 })
  expect(head.headers.get('upload-offset')).toBe(String(BLOCK_SIZE))
})
