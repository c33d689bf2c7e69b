import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, onTestFinished, test } from 'vitest'
import type { RangeFile } from '../../store/range-backend.js'
import { SparseFileBackend } from '../../store/sparse-file-backend.js'
import { sha256 } from '../../testing/client.js'
import { startStore, type TestStore } from '../../testing/server.js'
import { clientOf } from '../../testing/stores.js'

const B = BLOCK_SIZE

/** A disk whose syncs wait until they are let through. */
class GatedDisk extends SparseFileBackend {
  syncs = 0
  bytesWritten = 0
  readonly durable: boolean[] = []
  letThrough: () => void = () => {}
  readonly #gate = new Promise<void>((resolve) => {
    this.letThrough = resolve
  })
  #wake: () => void = () => {}

  override open(name: string): RangeFile {
    const file = super.open(name)
    const { write, sync, finalise } = file
    file.write = async (position, ...pieces) => {
      await write.call(file, position, ...pieces)
      this.bytesWritten += Buffer.concat(pieces).length
      this.#wake()
    }
    file.sync = async () => {
      this.syncs++
      this.#wake()
      await this.#gate
      await sync.call(file)
    }
    file.finalise = (target, size, options) => {
      this.durable.push(options?.isDurable ?? false)
      return finalise.call(file, target, size, options)
    }
    return file
  }

  async until(test: () => boolean): Promise<void> {
    while (!test()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

async function start(durability?: 'process' | 'disk'): Promise<{ disk: GatedDisk; store: TestStore }> {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-durability-'))
  const disk = new GatedDisk(join(directory, '.reconcile', 'groups'))
  const store = await startStore({ directory, store: { backend: disk, ...(durability && { durability }) } })
  onTestFinished(async () => {
    disk.letThrough()
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })
  return { disk, store }
}

test("with durability 'disk' no byte is acknowledged before it is synced, and many acknowledgements share a sync", async () => {
  const { disk, store } = await start('disk')
  const client = clientOf(store, 8 * B)
  let answered = 0
  const uploads = Array.from({ length: 8 }, async (_, i) => {
    const session = await client.upload(i * B, (i + 1) * B)
    answered++
    return session
  })
  await disk.until(() => disk.syncs > 0 && disk.bytesWritten === 8 * B)
  expect(answered).toBe(0)
  disk.letThrough()
  const sessions = await Promise.all(uploads)
  expect(disk.syncs).toBeLessThan(8)
  for (const session of sessions) await client.claim(session)
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect(disk.durable).toEqual([true])
  expect(await client.download(answer.url)).toBe(sha256(client.file.bytes))
})

test('without it nothing waits for a sync', async () => {
  const { disk, store } = await start()
  const client = clientOf(store, 2 * B)
  await client.claim(await client.upload(0, 2 * B))
  expect((await client.commit()).status).toBe(201)
  expect([disk.syncs, disk.durable]).toEqual([0, [false]])
})
