import { existsSync } from 'node:fs'
import { readdir, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { freshStore } from '../testing/stores.js'

const fresh = freshStore()

async function uploaded(text: string): Promise<{ url: string; path: string }> {
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': String(text.length), 'Content-Type': BODY_CONTENT_TYPE }
  const answer = await fetch(fresh.store.endpoint, { method: 'POST', headers, body: text })
  const url = answer.headers.get('location') ?? ''
  return { url, path: join(fresh.store.directory, url.slice(url.lastIndexOf('/') + 1)) }
}

test.each([{}, { Range: 'bytes=1-2' }, { 'If-None-Match': '*' }])(
  'a file that is removed while it is asked for with %o is gone, and no fault of the server',
  async (headers) => {
    const { url, path } = await uploaded('whole')
    const { datastore } = fresh.store
    const getUpload = datastore.getUpload.bind(datastore)
    datastore.getUpload = async (id) => {
      const upload = await getUpload(id)
      await rm(path)
      return upload
    }
    expect((await fetch(url, { headers })).status).toBe(410)
  },
)

/** Whether this process has the file open. */
async function isOpen(path: string): Promise<boolean> {
  const descriptors = await readdir('/proc/self/fd')
  const targets = await Promise.all(descriptors.map((name) => readlink(join('/proc/self/fd', name)).catch(() => '')))
  return targets.includes(path)
}

test.skipIf(!existsSync('/proc/self/fd'))('an answer without bytes leaves no file open', async () => {
  const [file, empty] = [await uploaded('whole'), await uploaded('')]
  const asked: [{ url: string; path: string }, Record<string, string>, number][] = [
    [file, { 'If-None-Match': '*' }, 304],
    [file, { Range: 'bytes=5-' }, 416],
    [empty, {}, 200],
  ]
  for (const [{ url, path }, headers, status] of asked) {
    const answer = await fetch(url, { headers })
    expect([answer.status, await answer.text(), await isOpen(path)]).toEqual([status, '', false])
  }
})
