import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { type Answer, sha256, TestClient, TestFile, type TestSession } from '../../testing/client.js'
import { knows } from '../../testing/cluster.js'
import { type Restartable, testRestartables } from '../../testing/restartable.js'
import type { TestStore, TestStoreOptions } from '../../testing/server.js'

const B = BLOCK_SIZE
const ANY = { reconcile: { commitAt: 'any' } } as const
const restartables = testRestartables()

/** Stores that list each other and know each other. */
async function stores(count: number, options: TestStoreOptions = ANY): Promise<Restartable[]> {
  const all = await restartables(count, () => options)
  await Promise.all(all.map((each) => each.start()))
  await Promise.all(
    all.flatMap(({ store }) => all.map((other) => other.store !== store && knows(store, other.store.storeId))),
  )
  return all
}

function pick(all: readonly Restartable[], index: number): Restartable {
  const found = all[index]
  if (!found) throw new Error('no such store')
  return found
}

/** A client that asks from the beginning that any store may commit. */
class AnyClient extends TestClient {
  override header(session: TestSession): Record<string, string> {
    return super.header(session, { any: true })
  }

  async commitAt(store: TestStore): Promise<Answer> {
    const { group, client, size } = this.file
    const operation = { op: 'commit', group, client, home: this.home, size, root: await this.file.root() } as const
    return this.operate({ ...operation, store: store.storeId, elsewhere: true })
  }

  /** As a client does that is told to ask again. */
  async commitAtLast(store: TestStore): Promise<Answer> {
    for (;;) {
      const answer = await this.commitAt(store)
      if (answer.status !== 503 && answer.status !== 202) return answer
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

const codeOf = (answer: Answer): unknown => JSON.parse(answer.text).error.code

test('P208: The former home MUST, when it hears of the new one, hand over what it has, give its bytes up once the file is committed, and answer `commit` and HEAD with the new `url`', async () => {
  const all = await stores(3)
  const [home, mirror, third] = [pick(all, 0), pick(all, 1), pick(all, 2)]
  const file = new TestFile(4 * B + 9)
  const { storeId } = home.store
  const atHome = new AnyClient(home.store.endpoint, file, storeId)
  const atMirror = new AnyClient(mirror.store.endpoint, file, storeId)
  const atThird = new AnyClient(third.store.endpoint, file, storeId)
  // each store has bytes that no other has
  await atHome.claim(await atHome.upload(0, B))
  await atMirror.claim(await atMirror.upload(B, 2 * B))
  await atThird.claim(await atThird.upload(2 * B, 4 * B + 9))
  await home.stop()
  expect(codeOf(await atMirror.commitAt(mirror.store))).toBe('unreachable-store')
  const missing = await atMirror.commitAtLast(mirror.store)
  expect([missing.status, JSON.parse(missing.text).missing]).toEqual([409, [[0, B]]])
  // what the home alone had is sent again, here
  await atMirror.claim(await atMirror.upload(0, B))
  const commit = await atMirror.commitAtLast(mirror.store)
  expect(commit.status).toBe(201)
  const { url } = JSON.parse(commit.text)
  expect(url).toBe(`${mirror.store.endpoint}/${file.group}`)
  expect(await atMirror.download(url)).toBe(sha256(file.bytes))
  const back = await home.start()
  await back.logged(({ msg, state }) => msg === 'group ended' && state === 'committed')
  expect(await readdir(join(back.directory, '.reconcile', 'groups'))).toEqual([])
  const head = await atHome.send(`${back.endpoint}/${file.group}`, {
    method: 'HEAD',
    headers: { 'Tus-Resumable': '1.0.0' },
  })
  expect([head.status, head.headers.get('reconcile-upload')]).toEqual([410, url])
  const get = await fetch(`${back.endpoint}/${file.group}`)
  expect([get.status, get.headers.get('reconcile-upload')]).toEqual([404, url])
  // whoever still asks the old home is told the same
  const again = await atHome.commit()
  expect([again.status, again.answer]).toMatchObject([200, { state: 'committed', url }])
  await expect(access(join(back.directory, file.group))).rejects.toThrow()
}, 60_000)

test('P209: A store MUST NOT make the file of a group with `any` before a majority of all servers has chosen that store as its home', async () => {
  const all = await stores(3)
  const [home, mirror, third] = [pick(all, 0), pick(all, 1), pick(all, 2)]
  const file = new TestFile(2 * B)
  const { storeId } = home.store
  const atHome = new AnyClient(home.store.endpoint, file, storeId)
  const atMirror = new AnyClient(mirror.store.endpoint, file, storeId)
  await atHome.claim(await atHome.upload(0, 2 * B))
  await atMirror.claim(await atMirror.upload(0, 2 * B))
  // both others are gone for the home: it has everything, and still does not commit
  await mirror.stop()
  await third.stop()
  const alone = await atHome.commitAt(home.store)
  expect([alone.status, codeOf(alone), alone.headers.get('retry-after')]).toEqual([503, 'unreachable-store', '1'])
  await home.stop()
  await mirror.start()
  await third.start()
  const commit = await atMirror.commitAtLast(mirror.store)
  expect(commit.status).toBe(201)
  // back, with all bytes, and asked before anybody else could tell it
  const back = await home.start()
  const late = await atHome.commitAtLast(back)
  expect([late.status, JSON.parse(late.text).url]).toEqual([200, JSON.parse(commit.text).url])
  await expect(access(join(back.directory, file.group))).rejects.toThrow()
}, 60_000)

test('of two servers none goes on without the other: there is no majority', async () => {
  const all = await stores(2)
  const [home, mirror] = [pick(all, 0), pick(all, 1)]
  const file = new TestFile(B)
  const client = new AnyClient(mirror.store.endpoint, file, home.store.storeId)
  await client.claim(await client.upload(0, B))
  await home.stop()
  for (;;) {
    const { text } = await client.commitAt(mirror.store)
    if (JSON.parse(text).error.message.includes('majority')) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await home.start()
  expect((await client.commitAtLast(home.store)).status).toBe(201)
})

test('P210: `any` MUST be refused with 400 by a server whose OPTIONS answer does not carry `Reconcile-Commit: any`, and where it is not the same at each creation of a group', async () => {
  const [, closed] = await stores(2, {})
  const [home, open] = await stores(2)
  if (!home || !open || !closed) throw new Error('four stores')
  const refused = new AnyClient(closed.store.endpoint, new TestFile(B), closed.store.storeId)
  const answer = await refused.post(refused.session(0, B), refused.file.bytes)
  expect([answer.status, codeOf(answer)]).toEqual([400, 'bad-request'])
  expect((await fetch(closed.store.endpoint, { method: 'OPTIONS' })).headers.get('reconcile-commit')).toBe(null)
  expect((await fetch(open.store.endpoint, { method: 'OPTIONS' })).headers.get('reconcile-commit')).toBe('any')
  const file = new TestFile(B)
  const plain = new TestClient(open.store.endpoint, file, home.store.storeId)
  await plain.claim(await plain.upload(0, B))
  const late = new AnyClient(open.store.endpoint, file, home.store.storeId)
  expect(codeOf(await late.post(late.session(0, B)))).toBe('contradiction')
  expect(codeOf(await late.commitAt(open.store))).toBe('contradiction')
})

test('a home that was never there: the user is asked where the file is committed, before it is', async () => {
  const seen: string[] = []
  const tus = {
    onUploadCreate: async (_req: unknown, upload: { id: string }) => {
      seen.push(`create ${upload.id}`)
      return {}
    },
    onUploadFinish: async (_req: unknown, upload: { id: string }) => {
      seen.push(`finish ${upload.id}`)
      return {}
    },
  }
  const all = await stores(3, { ...ANY, tus })
  const [home, mirror] = [pick(all, 0), pick(all, 1)]
  const { storeId } = home.store
  await home.stop()
  const file = new TestFile(B)
  const client = new AnyClient(mirror.store.endpoint, file, storeId)
  await client.claim(await client.upload(0, B))
  expect(seen).toEqual([])
  expect((await client.commitAtLast(mirror.store)).status).toBe(201)
  expect(seen).toEqual([`create ${file.group}`, `finish ${file.group}`])
  // the home comes back without a trace of it, and is asked to take the same upload once more
  const back = await home.start()
  const atHome = new AnyClient(back.endpoint, file, storeId)
  const answer = await atHome.post(atHome.session(0, B), file.bytes)
  if (answer.status !== 410) {
    // it may hear of the commit elsewhere at any moment from now on
    const { group, client: name } = file
    const claims = [{ session: atHome.session(0, B).id, start: 0, leaves: file.leaves() }]
    const claim = await atHome.operate({ op: 'claim', group, client: name, home: storeId, claims })
    expect([200, 410]).toContain(claim.status)
    const commit = await atHome.commitAtLast(back)
    expect(JSON.parse(commit.text).url).toBe(`${mirror.store.endpoint}/${file.group}`)
  }
  await expect(access(join(back.directory, file.group))).rejects.toThrow()
}, 60_000)
