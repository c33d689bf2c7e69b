import { execFile } from 'node:child_process'
import {
  appendFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { checkStore } from '../../check/check-store.js'
import { LevelIndex } from '../../records/level-index.js'
import { RangeStore } from '../../store/range-store.js'
import { type Answer, sha256, TestClient, TestFile } from '../../testing/client.js'
import { startStore, type TestStore, type TestStoreOptions } from '../../testing/server.js'
import type { TusRequest } from '../../tus-request.js'

const SIZE = 2 * BLOCK_SIZE + 100
let directory: string
let store: TestStore
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-shared-'))
  store = await start()
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

function start(options: TestStoreOptions = {}): Promise<TestStore> {
  const scope = (req: TusRequest) => req.headers.get('x-tenant') ?? undefined
  return startStore({ directory, reconcile: { dedup: { scope } }, ...options })
}

async function restart(options?: TestStoreOptions): Promise<void> {
  await store.close()
  store = await start(options)
}

class Tenant extends TestClient {
  readonly #headers: Record<string, string>
  constructor(tenant: string | undefined, bytes?: Uint8Array) {
    const file = new TestFile(bytes?.length ?? SIZE)
    if (bytes) file.bytes.set(bytes)
    super(store.endpoint, file, store.storeId)
    this.#headers = tenant === undefined ? {} : { 'x-tenant': tenant }
  }

  override send(url: string, init: RequestInit): Promise<Answer> {
    return super.send(url, { ...init, headers: { ...this.#headers, ...init.headers } })
  }

  get url(): string {
    return `${store.endpoint}/${this.file.group}`
  }

  async verified(): Promise<this> {
    const session = this.session(0, this.file.size)
    await this.post(session, this.file.bytes)
    await this.claim(session)
    return this
  }

  async committed(): Promise<this> {
    await this.verified()
    expect((await this.commit()).answer.state).toBe('committed')
    return this
  }

  remove(): Promise<Answer> {
    return this.send(this.url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
  }
}

const pathOf = (client: Tenant): string => join(directory, client.file.group)
const dataOf = (client: Tenant): string => join(directory, '.reconcile', 'groups', `${client.file.group}.data`)
const inodeOf = async (client: Tenant): Promise<number> => (await stat(pathOf(client))).ino
const sameAs = (first: Tenant): Tenant => new Tenant('acme', first.file.bytes)

async function expectWhole(...clients: Tenant[]): Promise<void> {
  for (const client of clients) expect(await client.download(client.url)).toBe(sha256(client.file.bytes))
}

test.each(['process', 'disk'] as const)(
  'equal files of a tenant are one file on the disk, also after restarts (durability %s)',
  async (durability) => {
    await restart({ store: { durability } })
    const first = await new Tenant('acme').committed()
    const second = await sameAs(first).committed()
    await restart({ store: { durability } })
    const third = await sameAs(first).committed()
    expect(await inodeOf(second)).toBe(await inodeOf(first))
    expect(await inodeOf(third)).toBe(await inodeOf(first))
    expect((await stat(pathOf(first))).nlink).toBe(3)
    expect(await readdir(join(directory, '.reconcile', 'groups'))).toEqual([])
    expect(await readdir(join(directory, '.reconcile', 'tmp'))).toEqual([])
    await expectWhole(first, second, third)
    expect((await store.extension.metrics()).text).toContain(`tus_reconcile_dedup_shared_bytes_total ${SIZE}\n`)
  },
)

test('P140: a file that is deleted takes nothing from the one that shares its storage, in either order', async () => {
  const first = await new Tenant('acme').committed()
  const second = await sameAs(first).committed()
  expect((await first.remove()).status).toBe(204)
  await expectWhole(second)
  const third = await sameAs(first).committed()
  expect(await inodeOf(third)).toBe(await inodeOf(second))
  expect((await third.remove()).status).toBe(204)
  await expectWhole(second)
  expect((await stat(pathOf(second))).nlink).toBe(1)
})

test('files of different tenants, and those of none, never share storage', async () => {
  const first = await new Tenant('acme').committed()
  const { bytes } = first.file
  for (const tenant of ['rival', undefined, undefined]) {
    const other = await new Tenant(tenant, bytes).committed()
    expect(await inodeOf(other)).not.toBe(await inodeOf(first))
    expect((await stat(pathOf(other))).nlink).toBe(1)
  }
  expect((await stat(pathOf(first))).nlink).toBe(1)
})

const DAMAGES: [string, (path: string) => Promise<void>][] = [
  ['written into', (path) => overwrite(path)],
  ['lengthened', (path) => appendFile(path, 'more')],
  ['replaced', (path) => rm(path).then(() => writeFile(path, Buffer.alloc(SIZE)))],
  ['removed', (path) => rm(path)],
  [
    'made a folder',
    (path) =>
      rm(path)
        .then(() => mkdir(path))
        .then(() => {}),
  ],
]
test.each(DAMAGES)('a file whose twin was %s since its commit has bytes of its own', async (_how, damage) => {
  const first = await new Tenant('acme').committed()
  await damage(pathOf(first))
  const second = await sameAs(first).committed()
  await expectWhole(second)
  expect((await stat(pathOf(second))).nlink).toBe(1)
})

/** The time of the write differs from that of the upload, however coarse the clock of the disk. */
async function overwrite(path: string): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.from('changed'), 0, 7, 0)
  await file.close()
  await utimes(path, new Date(0), new Date(0))
}

test('P141: a finished upload takes no bytes and no other length: nothing reaches what shares its storage', async () => {
  const first = await new Tenant('acme').committed()
  const second = await sameAs(first).committed()
  const before = await stat(pathOf(first), { bigint: true })
  const type = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' }
  const patch = (offset: number, body: string, more: Record<string, string> = {}) =>
    second.send(second.url, { method: 'PATCH', headers: { ...type, 'Upload-Offset': String(offset), ...more }, body })
  expect((await patch(SIZE, 'more')).status).toBeGreaterThanOrEqual(400)
  expect((await patch(0, 'from the start')).status).toBe(409)
  expect((await patch(SIZE, 'more', { 'Upload-Length': String(SIZE + 4) })).status).toBeGreaterThanOrEqual(400)
  await patch(SIZE, '')
  await patch(SIZE, '', { 'Upload-Length': String(SIZE + 4) })
  const { ino, size, mtimeNs } = await stat(pathOf(second), { bigint: true })
  expect([ino, size, mtimeNs]).toEqual([before.ino, before.size, before.mtimeNs])
  expect((await store.datastore.getUpload(second.file.group)).size).toBe(SIZE)
  await expectWhole(first, second)
})

/** Fails the commit of a client once its file is a link and its own bytes are gone. Returns the bytes. */
async function failLate(client: Tenant, inBetween: (kept: Buffer) => Promise<void> = async () => {}): Promise<Buffer> {
  await client.verified()
  const kept = await readFile(dataOf(client))
  const { datastore } = store
  const finalise = datastore.finalise.bind(datastore)
  datastore.finalise = async () => {
    await inBetween(kept)
    throw new Error('the disk went away')
  }
  await client.commit().catch(() => {})
  datastore.finalise = finalise
  return kept
}

/** Starts a store on what a crash at this moment leaves: of this process nothing is written any more. */
async function crash(): Promise<TestStore> {
  const left = await mkdtemp(join(tmpdir(), 'reconcile-crashed-'))
  await promisify(execFile)('cp', ['-a', `${directory}/.`, left])
  await rm(join(left, '.reconcile', 'lock'), { recursive: true, force: true })
  const options = { directory: left, reconcile: { dedup: { scope: () => 'acme' } } }
  onTestFinished(() => rm(left, { recursive: true, force: true }))
  const crashed = await startStore(options)
  onTestFinished(() => crashed.close())
  return crashed
}

test.each(['gone', 'still there'])(
  'a crash after the link, when the bytes of the upload are %s, is ended by the next start',
  async (bytes) => {
    const first = await new Tenant('acme').committed()
    const second = sameAs(first)
    let crashed: TestStore | undefined
    await failLate(second, async (kept) => {
      if (bytes === 'still there') await writeFile(dataOf(second), kept)
      crashed = await crash()
    })
    if (!crashed) throw new Error('the commit did not come so far')
    for (const { file } of [first, second]) {
      expect(await first.download(`${crashed.endpoint}/${file.group}`)).toBe(sha256(file.bytes))
    }
    expect((await stat(join(crashed.directory, second.file.group))).nlink).toBe(2)
    expect(await readdir(join(crashed.directory, '.reconcile', 'groups'))).toEqual([])
  },
)

test.each(['there', 'deleted'])(
  'a commit that failed between the link and the removal of its bytes is ended by its repeat; its twin is %s',
  async (twin) => {
    const first = await new Tenant('acme').committed()
    const second = sameAs(first)
    await writeFile(dataOf(second), await failLate(second))
    if (twin === 'deleted') await first.remove()
    expect((await second.commit()).answer.state).toBe('committed')
    await expectWhole(second)
    expect(await readdir(join(directory, '.reconcile', 'groups'))).toEqual([])
  },
)

test('a name that a crash left is swept at the next start, and the check finds nothing to repair', async () => {
  const first = await new Tenant('acme').committed()
  const second = await sameAs(first).committed()
  await link(pathOf(first), join(directory, '.reconcile', 'tmp', 'left'))
  await restart()
  expect((await stat(pathOf(first))).nlink).toBe(2)
  await store.close()
  const kept = new RangeStore({ directory })
  const index = new LevelIndex({ directory: kept.ownPath('index') })
  const report = await checkStore({ store: kept, index, isDryRun: false, expireMs: 1000 })
  expect(report).toMatchObject({ groups: 2, files: 2, entries: [] })
  store = await start()
  expect(await inodeOf(second)).toBe(await inodeOf(first))
})
