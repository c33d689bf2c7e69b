import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerOptions } from '@tus/server'
import { BODY_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { MadeFinals } from '../../plain/made-finals.js'
import { freePort, startStore, type TestStore } from '../../testing/server.js'

// what is left when the process ends within the creation of a final upload

const TUS = { 'Tus-Resumable': '1.0.0' }
const own = (...names: string[]): string => join(directory, '.reconcile', ...names)
let directory = ''
let port = 0
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-final-'))
  port = await freePort()
  onTestFinished(() => rm(directory, { recursive: true }))
})

/** At the same address each time. */
function open(tus: Partial<ServerOptions> = {}): Promise<TestStore> {
  return startStore({ directory, port, tus })
}

async function partial(endpoint: string, text: string): Promise<string> {
  const headers = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE, 'Upload-Concat': 'partial' }
  const length = { 'Upload-Length': String(text.length) }
  const answer = await fetch(endpoint, { method: 'POST', headers: { ...headers, ...length }, body: text })
  return answer.headers.get('location') ?? ''
}

const final = (endpoint: string, parts: readonly string[]): Promise<Response> =>
  fetch(endpoint, { method: 'POST', headers: { ...TUS, 'Upload-Concat': `final;${parts.join(' ')}` } })

const idOf = (url: string): string => url.slice(url.lastIndexOf('/') + 1)

async function made(store: TestStore): Promise<{ parts: string[]; url: string; record: string }> {
  const parts = [await partial(store.endpoint, 'one, '), await partial(store.endpoint, 'two')]
  const url = (await final(store.endpoint, parts)).headers.get('location') ?? ''
  const [name = ''] = await readdir(own('finals'))
  return { parts, url, record: own('finals', name) }
}

test('P107: a repeat after a restart gets the same Location, or the same refusal', async () => {
  let answer: () => Promise<object> = async () => ({})
  const tus = { onUploadFinish: () => answer() }
  let store = await open(tus)
  const first = await made(store)
  answer = async () => Promise.reject({ status_code: 422, body: 'a virus' })
  const parts = [await partial(store.endpoint, 'bad')]
  await final(store.endpoint, parts)
  await store.close()
  store = await open(tus)
  const again = await final(store.endpoint, first.parts)
  expect([again.status, again.headers.get('location')]).toEqual([201, first.url])
  expect((await final(store.endpoint, parts)).status).toBe(422)
  await store.close()
})

test('P122: bytes that came together when the process ended are gone, and the same final upload can be made', async () => {
  let store = await open()
  const parts = [await partial(store.endpoint, 'one, '), await partial(store.endpoint, 'two')]
  await store.close()
  await mkdir(own('tmp'), { recursive: true })
  await writeFile(own('tmp', 'cut'), 'one, t')
  store = await open()
  expect(await readdir(own())).not.toContain('tmp')
  const reply = await final(store.endpoint, parts)
  expect(await (await fetch(reply.headers.get('location') ?? '')).text()).toBe('one, two')
  expect((await readdir(directory)).length).toBe(3)
  await store.close()
})

test('no unfinished bytes ever have the name of a final upload', async () => {
  const seen: string[][] = []
  const store = await open()
  const { datastore } = store
  const read = datastore.read.bind(datastore)
  datastore.read = (id) => {
    seen.push(readdirSync(directory).filter((name) => !name.includes('.')))
    return read(id)
  }
  const { url } = await made(store)
  await store.close()
  expect(await readFile(join(directory, idOf(url)), 'utf8')).toBe('one, two')
  expect(seen).toEqual([[], []])
})

test('a record without bytes is forgotten: its final upload was never made', async () => {
  let store = await open()
  const { parts, url } = await made(store)
  await store.close()
  for (const name of [idOf(url), `${idOf(url)}.json`]) await rm(join(directory, name))
  store = await open()
  expect(await readdir(own('finals'))).toEqual([])
  expect((await final(store.endpoint, parts)).status).toBe(404)
  await store.close()
})

test('a placeholder that holds the name of a final upload is removed, and the name is free', async () => {
  let store = await open({ namingFunction: () => 'whole' })
  const { url, record } = await made(store)
  await store.close()
  expect(JSON.parse(await readFile(record, 'utf8')).id).toBe('whole')
  await rm(join(directory, 'whole.json'))
  await writeFile(
    join(directory, 'whole'),
    'tus-reconcile-server: a file comes here\n00000000-0000-4000-8000-000000000000\n',
  )
  store = await open({ namingFunction: () => 'whole' })
  expect(await readdir(directory)).not.toContain('whole')
  expect((await made(store)).url).toBe(url)
  await store.close()
})

test('P122: bytes that are in place are brought to their end: known, finished once more, and their parts gone', async () => {
  const finished: string[] = []
  let told: () => void = () => {}
  const tus = {
    onUploadFinish: async (_req: unknown, { id, offset }: { id: string; offset: number }) => {
      finished.push(`${id} ${offset}`)
      told()
      return {}
    },
  }
  let store = await open(tus)
  const { parts, url, record } = await made(store)
  const left = await partial(store.endpoint, 'left')
  await store.close()
  const { isFinished, ...rest } = JSON.parse(await readFile(record, 'utf8'))
  expect(isFinished).toBe(true)
  await writeFile(record, JSON.stringify({ ...rest, isFinished: false }))
  await rm(join(directory, `${idOf(url)}.json`))
  for (const suffix of ['', '.json']) {
    await rename(join(directory, `${idOf(left)}${suffix}`), join(directory, `${idOf(parts[0] ?? '')}${suffix}`))
  }
  const again = new Promise<void>((resolve) => {
    told = resolve
  })
  store = await open(tus)
  await again
  await store.logged((entry) => entry.msg === 'a final upload finished after a crash')
  expect(finished).toEqual([`${idOf(url)} 8`, `${idOf(url)} 8`])
  const reply = await final(store.endpoint, parts)
  expect([reply.status, reply.headers.get('location')]).toEqual([201, url])
  expect(await (await fetch(url)).text()).toBe('one, two')
  expect((await fetch(parts[0] ?? '', { method: 'HEAD', headers: TUS })).status).toBe(404)
  await store.close()
})

test('what is remembered is bounded, the oldest goes first, and what cannot be read is thrown away', async () => {
  const facts = { url: '', size: 0, metadata: {}, createdAt: '', isFinished: true }
  const finals = new MadeFinals(own('finals'))
  for (let i = 0; i <= 1000; i++) await finals.put({ ...facts, id: `${i}`, parts: [`${i}`] })
  const names = await readdir(own('finals'))
  expect([names.length, finals.get(['0']), finals.get(['1000'])?.id]).toEqual([1000, undefined, '1000'])
  await writeFile(own('finals', 'nonsense'), '{')
  for (const name of names) await utimes(own('finals', name), 1, 1)
  expect((await new MadeFinals(own('finals')).load()).length).toBe(1000)
  expect((await readdir(own('finals'))).length).toBe(1000)
})
