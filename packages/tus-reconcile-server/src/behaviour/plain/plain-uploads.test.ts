import { randomFillSync } from 'node:crypto'
import { Upload as TusUpload } from 'tus-js-client'
import { expect, test } from 'vitest'
import { sha256 } from '../../testing/client.js'
import { testStores } from '../../testing/stores.js'

const { open } = testStores()

function uploadPlainly(endpoint: string, bytes: Buffer, stopAt?: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new TusUpload(bytes, {
      endpoint,
      chunkSize: 300_000,
      retryDelays: [],
      metadata: { filename: 'plain.bin' },
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
      onChunkComplete: (_size, accepted) => {
        if (stopAt === undefined || accepted < stopAt) return
        stopAt = undefined
        void upload.abort().then(() => upload.start())
      },
    })
    upload.start()
  })
}

test('a plain tus client uploads, resumes, downloads and deletes as with FileStore', async () => {
  const finished: string[] = []
  const store = await open({
    tus: {
      onUploadFinish: async (_req, upload) => {
        finished.push(upload.id)
        return {}
      },
    },
  })
  const bytes = randomFillSync(Buffer.alloc(2_000_000))
  const url = await uploadPlainly(store.endpoint, bytes, 900_000)
  expect(sha256(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe(sha256(bytes))
  expect(finished).toEqual([url.split('/').at(-1)])
  const answer = await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
  expect(answer.status).toBe(204)
  const gone = await fetch(url)
  expect([gone.status, gone.headers.get('access-control-allow-origin')]).toEqual([404, '*'])
})

test('our own room in the directory is no upload', async () => {
  const store = await open({
    tus: { getFileIdFromRequest: (req) => decodeURIComponent(req.url.split('/files/')[1] ?? '') },
  })
  for (const id of ['.reconcile/records', '.reconcile%2Frecords', '..%2F..%2Fetc', '.reconcile']) {
    expect((await fetch(`${store.endpoint}/${id}`)).status).toBe(404)
  }
})
