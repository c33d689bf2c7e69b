import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EVENTS } from '@tus/server'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, expect, test, vi } from 'vitest'
import type { RangeFile } from '../../store/range-backend.js'
import { SparseFileBackend } from '../../store/sparse-file-backend.js'
import { sha256 } from '../../testing/client.js'
import { startStore, type TestStore } from '../../testing/server.js'
import { clientOf } from '../../testing/stores.js'

const B = BLOCK_SIZE
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startStore>[0] = {}): Promise<TestStore> {
  const store = await startStore(options)
  closing.push(() => store.close())
  return store
}

test('P34: A body that brings no byte for 120 s MUST be ended with 408, and what arrived is kept', async () => {
  const store = await start()
  const client = clientOf(store, 2 * B)
  const session = client.session(0, 2 * B)
  await client.post(session)
  session.attempt++
  const slow = await client.beginPatch(session, 100)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  // the wait for what comes after this byte is by the clock that the test turns
  slow.write(client.file.bytes.subarray(100, 101))
  let answered = false
  void slow.answer.finally(() => {
    answered = true
  })
  while (!answered) {
    await vi.advanceTimersByTimeAsync(10_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const answer = await slow.answer
  vi.useRealTimers()
  expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([408, 'no-progress'])
  expect(Number(answer.headers['upload-offset'])).toBeGreaterThanOrEqual(100)
  session.attempt++
  const stands = Number((await client.post(session)).headers.get('upload-offset'))
  session.attempt++
  expect((await client.patch(session, stands, client.file.bytes.subarray(stands))).status).toBe(204)
  await client.claim(session)
  const { answer: commit } = await client.commit()
  if (commit.state !== 'committed') throw new Error(commit.state)
  expect(await client.download(commit.url)).toBe(sha256(client.file.bytes))
})

/** Whose commits wait for the test. */
class WaitingBackend extends SparseFileBackend {
  readonly begun: Promise<void>
  release: () => void = () => {}
  #begin: () => void = () => {}
  readonly #released: Promise<void>
  constructor(directory: string) {
    super(directory)
    this.begun = new Promise((resolve) => {
      this.#begin = resolve
    })
    this.#released = new Promise((resolve) => {
      this.release = resolve
    })
  }
  override open(name: string): RangeFile {
    const file = super.open(name)
    const finalise = file.finalise.bind(file)
    file.finalise = async (...args) => {
      this.#begin()
      await this.#released
      await finalise(...args)
    }
    return file
  }
}

test('P69: While a group is committing, a body MUST be refused with 423; when it is committed, with 410 and `Reconcile-Upload`', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-waiting-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const backend = new WaitingBackend(join(directory, 'groups'))
  const store = await start({ store: { backend } })
  const client = clientOf(store, 2 * B)
  // a ghost: it has begun, and goes on while the file is committed
  const ghost = client.session(0, 2 * B)
  await client.post(ghost)
  ghost.attempt++
  const slow = await client.beginPatch(ghost, 100, Buffer.alloc(2 * B))
  await client.ask('plan', { changes: [{ session: ghost.id, drop: true }] })
  expect((await slow.answer).status).toBe(410)
  const second = client.session(0, 2 * B, 'second')
  await client.post(second)
  second.attempt++
  const writing = await client.beginPatch(second, 100)
  const third = await client.upload(0, 2 * B, 'third')
  await client.claim(third)
  const commit = client.commit()
  await backend.begun
  const { status, text } = await client.post(client.session(0, 2 * B, 'late'), client.file.bytes)
  expect([status, JSON.parse(text).error.code]).toEqual([423, 'committing'])
  backend.release()
  const { answer } = await commit
  if (answer.state !== 'committed') throw new Error(answer.state)
  expect([410, 423]).toContain((await writing.answer).status)
  const late = await client.post(client.session(0, 2 * B, 'late'), client.file.bytes)
  expect([late.status, late.headers.get('reconcile-state')]).toEqual([410, 'committed'])
  expect(late.headers.get('reconcile-upload')).toBe(answer.url)
  expect(await client.download(answer.url)).toBe(sha256(client.file.bytes))
})

test('what would end an upload while it is committed is refused once it is, and nothing says that it ended', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reconcile-waiting-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const backend = new WaitingBackend(join(directory, 'groups'))
  let arrived = () => {}
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const onIncomingRequest = async ({ method }: { method: string }) => {
    if (method === 'DELETE') arrived()
  }
  const store = await start({ store: { backend }, tus: { onIncomingRequest } })
  const terminated: unknown[] = []
  store.server.on(EVENTS.POST_TERMINATE, (...args) => terminated.push(args))
  const client = clientOf(store, B)
  await client.claim(await client.upload(0, B))
  const commit = client.commit()
  await backend.begun
  const url = `${store.endpoint}/${client.file.group}`
  const { group } = client.file
  const answers = [
    client.operate({ op: 'terminate', group, home: store.storeId }),
    client.send(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }),
  ]
  await arrival
  backend.release()
  expect((await commit).status).toBe(201)
  for (const { status, headers } of await Promise.all(answers)) {
    expect([status, headers.get('reconcile-state')]).toEqual([410, 'committed'])
  }
  expect(terminated).toEqual([])
  expect(await client.download(url)).toBe(sha256(client.file.bytes))
})
