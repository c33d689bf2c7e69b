import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { freshStore } from '../../testing/stores.js'
import { SlowRequest } from '../../testing/streams.js'

// what becomes of the bodies of plain uploads when the server drains

const fresh = freshStore()
const TUS = { 'Tus-Resumable': '1.0.0' }
const BODY = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE }

async function create(size: number): Promise<string> {
  const headers = { ...TUS, 'Upload-Length': String(size) }
  return (await fetch(fresh.store.endpoint, { method: 'POST', headers })).headers.get('location') ?? ''
}

async function offsetOf(url: string): Promise<string | null> {
  return (await fetch(url, { method: 'HEAD', headers: TUS })).headers.get('upload-offset')
}

/** Sends, and settles when that figure is there: to ask for the upload would end its body. */
async function begun(slow: SlowRequest, bytes: Uint8Array, figure = 'bodies 1'): Promise<void> {
  slow.write(bytes)
  const figures = async () => (await fresh.store.extension.metrics()).text
  await expect.poll(figures).toContain(`tus_reconcile_plain_${figure}\n`)
}

test('a PATCH without an announced length ends with 503, and what arrived is kept', async () => {
  const url = await create(1000)
  const slow = new SlowRequest('PATCH', url, { ...BODY, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' })
  await begun(slow, Buffer.alloc(300), 'received_bytes_total 300')
  await fresh.store.extension.drain()
  const { status, headers, text } = await slow.answer
  expect([status, headers['retry-after'], headers.connection, headers['upload-offset'], text]).toEqual([
    503,
    '1',
    'close',
    '300',
    'this server is stopping\n',
  ])
  expect(await offsetOf(url)).toBe('300')
})

test('a body with a checksum that has not come whole leaves nothing', async () => {
  const url = await create(1000)
  const checksum = createHash('sha1').update(Buffer.alloc(300)).digest('base64')
  const slow = new SlowRequest('PATCH', url, {
    ...BODY,
    'Upload-Offset': 0,
    'Transfer-Encoding': 'chunked',
    'Upload-Checksum': `sha1 ${checksum}`,
  })
  await begun(slow, Buffer.alloc(300))
  await fresh.store.extension.drain()
  expect((await slow.answer).status).toBe(503)
  expect(await offsetOf(url)).toBe('0')
})

test('of a creation whose body had not ended nothing is left: nobody has learnt where it is', async () => {
  const { endpoint, directory, extension } = fresh.store
  const slow = new SlowRequest('POST', endpoint, { ...BODY, 'Upload-Length': 1000, 'Content-Length': 1000 })
  await begun(slow, Buffer.alloc(300))
  await extension.drain()
  const { status, headers } = await slow.answer
  expect([status, headers.location]).toEqual([503, undefined])
  expect(await readdir(directory)).toEqual(['.reconcile'])
})
