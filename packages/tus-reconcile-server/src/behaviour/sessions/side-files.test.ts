import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256, TestClient, TestFile } from '../../testing/client.js'
import { startStore, type TestStore } from '../../testing/server.js'

const B = BLOCK_SIZE
let directory: string
let store: TestStore
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-sides-'))
  store = await startStore({ directory })
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

const clientOf = (size: number): TestClient => new TestClient(store.endpoint, new TestFile(size), store.storeId)
const dataFiles = (): Promise<string[]> => readdir(join(directory, '.reconcile', 'groups'))

async function downloadCommitted(client: TestClient): Promise<string> {
  const { answer } = await client.commit()
  if (answer.state !== 'committed') throw new Error(answer.state)
  return client.download(answer.url)
}

test('a block whose owner is still writing goes to the copy that is whole and right, and the late bytes change nothing', async () => {
  const client = clientOf(3 * B)
  const owner = client.session(0, 3 * B)
  await client.post(owner)
  const wrong = Buffer.alloc(3 * B, 7)
  client.file.bytes.copy(wrong, 0, 0, B)
  const slow = await client.beginPatch(owner, B + 4000, wrong)
  const copy = await client.upload(B, 2 * B, 'copy')
  expect((await client.claim(copy)).answer.verified).toEqual([{ start: B, end: 2 * B }])
  slow.write(wrong.subarray(B + 4000, 2 * B))
  slow.write(client.file.bytes.subarray(2 * B))
  expect((await slow.answer).headers['upload-offset']).toBe(String(3 * B))
  expect((await client.claim(owner)).answer.verified).toEqual([{ start: 0, end: 3 * B }])
  expect(await downloadCommitted(client)).toBe(sha256(client.file.bytes))
})

test("when a block's owner is deleted while another writes the same block, the other's bytes become the block", async () => {
  const client = clientOf(2 * B)
  const owner = client.session(0, 2 * B)
  await client.post(owner, Buffer.alloc(B + 10, 7))
  const other = client.session(0, 2 * B)
  await client.post(other)
  const slow = await client.beginPatch(other, B + 20)
  await client.send(owner.url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
  slow.write(client.file.bytes.subarray(B + 20))
  expect((await slow.answer).status).toBe(204)
  expect((await client.claim(other)).answer).toMatchObject({ verified: [{ start: 0, end: 2 * B }], bad: [] })
  expect(await downloadCommitted(client)).toBe(sha256(client.file.bytes))
})

test('what is kept aside goes with the group and when nothing is kept any more', async () => {
  const [one, two] = [clientOf(2 * B), clientOf(2 * B)]
  for (const client of [one, two]) {
    await client.upload(0, 2 * B, 'first')
    const copy = client.session(0, 2 * B, 'copy')
    await client.post(copy)
    const slow = await client.beginPatch(copy, B + 1)
    expect(await dataFiles()).toContain(`${client.file.group}.side`)
    slow.write(client.file.bytes.subarray(B + 1))
    expect((await slow.answer).status).toBe(204)
  }
  await one.claim(await one.upload(0, 2 * B, 'third'))
  expect(await downloadCommitted(one)).toBe(sha256(one.file.bytes))
  await two.ask('terminate')
  expect(await dataFiles()).toEqual([])
})

test('what an earlier process kept aside is swept at the start', async () => {
  await store.close()
  await mkdir(join(directory, '.reconcile', 'groups'), { recursive: true })
  await writeFile(join(directory, '.reconcile', 'groups', 'old.side'), 'left')
  store = await startStore({ directory })
  expect(await dataFiles()).toEqual([])
})
