import { createHash, randomBytes } from 'node:crypto'
import Uppy from '@uppy/core'
import type { LoggedEvent } from 'uppy-adaptive'
import AdaptiveTus from 'uppy-adaptive'
import { afterEach, describe, expect, it } from 'vitest'
import { startReconcileServers, type TestServer } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'

const MB = 1_000_000
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

type Options = Partial<ConstructorParameters<typeof AdaptiveTus>[1]>

/** Servers, and an Uppy in Node that uploads to them; its events in their order, each with its file's name. */
async function uppyTo(count: number, optionsFor: (servers: readonly TestServer[]) => Options) {
  const started = await startReconcileServers({ count, upBytesPerSecond: MB })
  cleanups.push(() => started.close())
  const { servers } = started
  const events: (LoggedEvent & { name: string })[] = []
  // Node has no language that Uppy can sort by
  const uppy = new Uppy({ locale: { strings: {}, pluralize: (n: number) => (n === 1 ? 0 : 1) } })
  uppy.use(AdaptiveTus, {
    ...nodeClient(),
    endpoint: servers[0]?.endpoint ?? '',
    onEvent: (id, event) => events.push({ ...event, name: uppy.getFile(id)?.name ?? 'removed' }),
    ...optionsFor(servers),
  })
  cleanups.push(async () => uppy.destroy())
  const add = (name: string, bytes: Uint8Array<ArrayBuffer>, type = 'application/octet-stream') =>
    uppy.addFile({ name, type, data: new Blob([bytes]), meta: { country: name.slice(0, 2), secret: 'x' } })
  const of = <Type extends LoggedEvent['type']>(name: string, type: Type) =>
    events.filter((event): event is Extract<LoggedEvent, { type: Type }> & { name: string } => {
      return event.name === name && event.type === type
    })
  const ackedOf = (name: string) => of(name, 'progress').at(-1)?.ackedBytes ?? 0
  return { uppy, servers, events, add, of, ackedOf }
}

async function stored(server: TestServer | undefined, url: string | undefined) {
  const response = await fetch(`${server?.direct}/${url?.slice(url.lastIndexOf('/') + 1)}`)
  return sha256(new Uint8Array(await response.arrayBuffer()))
}

describe('the plugin', () => {
  it('asks the application for each file’s mirrors and priority, and sends what it allows of its metadata', async () => {
    const { uppy, servers, add, of } = await uppyTo(2, ([, mirror]) => ({
      mirrors: async (file) => (file.meta.country === 'se' ? [mirror?.endpoint ?? ''] : []),
      partitioning: { priority: ({ name }) => [{ start: name === 'se.bin' ? -MB : 0, priority: 'high' }] },
      allowedMetaFields: ['name', 'type', 'country'],
    }))
    const bytes = [randomBytes(3 * MB), randomBytes(MB)] as const
    add('se.bin', bytes[0])
    add('de.bin', bytes[1])
    const result = await uppy.upload()
    expect(result?.failed).toEqual([])
    const [se, de] = ['se.bin', 'de.bin'].map((name) => result?.successful?.find((file) => file.name === name))
    expect(await stored(servers[0], se?.uploadURL)).toBe(sha256(bytes[0]))
    expect(await stored(servers[0], de?.uploadURL)).toBe(sha256(bytes[1]))
    const serversOf = (name: string) => new Set(of(name, 'session').map(({ server }) => server))
    expect([serversOf('se.bin'), serversOf('de.bin')]).toEqual([new Set([0, 1]), new Set([0])])
    expect(of('se.bin', 'session')[0]?.start).toBeGreaterThan(MB)
    expect(of('de.bin', 'session')[0]?.start).toBe(0)
    const head = await fetch(`${servers[0]?.direct}/${se?.uploadURL?.split('/').at(-1)}`, {
      method: 'HEAD',
      headers: { 'Tus-Resumable': '1.0.0' },
    })
    const metadata = (head.headers.get('upload-metadata') ?? '').split(',').map((pair) => pair.split(' '))
    expect(Object.fromEntries(metadata.map(([key, value]) => [key, atob(value ?? '')]))).toEqual({
      ...{ name: 'se.bin', filename: 'se.bin', country: 'se' },
      ...{ type: 'application/octet-stream', filetype: 'application/octet-stream' },
    })
  })

  it('uploads no more files at once than it may, and a paused one gives its place to the next', async () => {
    const { uppy, events, add, of, ackedOf } = await uppyTo(1, () => ({ limit: 1 }))
    const first = add('first', randomBytes(5 * MB))
    add('second', randomBytes(MB))
    const done = uppy.upload()
    await expect.poll(() => ackedOf('first')).toBeGreaterThan(MB)
    expect(of('second', 'started')).toEqual([])
    uppy.pauseResume(first)
    await expect.poll(() => of('second', 'started').length).toBe(1)
    uppy.pauseResume(first)
    expect((await done)?.failed).toEqual([])
    const ends = events.filter(({ type }) => type === 'resumed' || type === 'committed')
    expect(ends.map(({ name, type }) => [name, type])).toEqual([
      ['second', 'committed'],
      ['first', 'resumed'],
      ['first', 'committed'],
    ])
  })

  it('keeps no place for a file that is paused before its turn, and gives none twice', async () => {
    const { uppy, events, add, of } = await uppyTo(1, () => ({ limit: 1 }))
    add('first', randomBytes(3 * MB))
    const second = add('second', randomBytes(MB))
    add('third', randomBytes(MB))
    const done = uppy.upload()
    await expect.poll(() => of('first', 'started').length).toBe(1)
    uppy.resumeAll()
    uppy.pauseResume(second)
    await expect.poll(() => of('third', 'committed').length).toBe(1)
    uppy.pauseResume(second)
    expect((await done)?.failed).toEqual([])
    const steps = events.filter(({ type }) => type === 'started' || type === 'committed')
    const expected = ['first', 'third', 'second'].flatMap((name) => [
      [name, 'started'],
      [name, 'committed'],
    ])
    expect(steps.map(({ name, type }) => [name, type])).toEqual(expected)
  })

  it('ends a file that is removed on its server, and uploads the others', async () => {
    const { uppy, servers, add, ackedOf } = await uppyTo(1, () => ({}))
    const removed = add('removed', randomBytes(8 * MB))
    const other = randomBytes(2 * MB)
    add('other', other)
    const done = uppy.upload()
    await expect.poll(() => ackedOf('removed')).toBeGreaterThan(0)
    uppy.removeFile(removed)
    const successful = (await done)?.successful ?? []
    expect(successful.map(({ name }) => name)).toEqual(['other'])
    expect(await stored(servers[0], successful[0]?.uploadURL)).toBe(sha256(other))
    const id = successful[0]?.uploadURL?.split('/').at(-1)
    await expect.poll(async () => (await servers[0]?.held())?.filter((name) => !name.startsWith(`${id}`))).toEqual([])
  })
})
