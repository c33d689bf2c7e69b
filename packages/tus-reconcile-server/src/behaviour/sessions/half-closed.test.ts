import { createHash } from 'node:crypto'
import { BLOCK_SIZE, BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { describe, expect, test } from 'vitest'
import { TestFile } from '../../testing/client.js'
import { RawRequest } from '../../testing/raw-request.js'
import { testStores } from '../../testing/stores.js'
import { UPLOAD_KINDS } from '../../testing/uploads.js'

const B = BLOCK_SIZE
const SENT = 100_000
const stores = testStores()
const { bytes } = new TestFile(2 * B)
const sha1 = createHash('sha1').update(bytes).digest('base64')
const LENGTHS = { announced: { 'Content-Length': 2 * B }, chunked: { 'Transfer-Encoding': 'chunked' } } as const
const CHECKSUMS = { 'without a checksum': {}, 'with a checksum': { 'Upload-Checksum': `sha1 ${sha1}` } } as const

describe("P222: A body whose sender closes its side, or the connection, before the body's end MUST be ended at once: what arrived is kept as after any cut, and the upload takes the next request", () => {
  const cases = UPLOAD_KINDS.flatMap(([kind, targetAt]) =>
    (['announced', 'chunked'] as const).flatMap((length) =>
      (['without a checksum', 'with a checksum'] as const).map((checksum) => ({ kind, targetAt, length, checksum })),
    ),
  )

  test.each(cases)('$kind, $length length, $checksum', async ({ targetAt, length, checksum }) => {
    for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const store = await stores.open()
      const target = await targetAt(store, 2 * B)
      const headers = { ...target.headers(), ...CHECKSUMS[checksum], ...LENGTHS[length] }
      const body = { 'Upload-Offset': 0, 'Content-Type': BODY_CONTENT_TYPE }
      const raw = new RawRequest(target.url, 'PATCH', { ...headers, ...body })
      if (length === 'chunked') raw.socket.write(`${(2 * B).toString(16)}\r\n`)
      raw.socket.write(bytes.subarray(0, SENT), () => raw.socket[how]())
      await raw.closed
      if (how === 'end') expect(raw.text).toMatch(/^HTTP\/1.1 400 /)
      raw.socket.destroy()
      const offset = await target.offset()
      expect(offset).toBeLessThanOrEqual(checksum === 'with a checksum' ? 0 : SENT)
      const rest = await fetch(target.url, {
        method: 'PATCH',
        headers: { ...target.headers(), 'Upload-Offset': String(offset), 'Content-Type': BODY_CONTENT_TYPE },
        body: bytes.subarray(offset),
      })
      expect([rest.status, rest.headers.get('upload-offset')]).toEqual([204, String(2 * B)])
      expect((await store.extension.metrics()).text).toMatch(/^tus_reconcile_bodies 0$/m)
    }
  })
})
