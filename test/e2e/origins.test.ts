import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { AdaptiveUpload, type AdaptiveUploadOptions, type LoggedEvent } from 'uppy-adaptive/upload'
import { afterEach, describe, expect, it } from 'vitest'
import { startReconcileServers, type TestServer } from '../support/reconcile-servers.js'
import { nodeClient } from './node-client.js'
import { hasChromium, outcome, PageSite } from './page-site.js'

const MB = 1_000_000
const SECRET = 'of-the-primary'
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A primary and two mirrors, three origins, and the keys that each was sent: by clients' requests, preflights aside. */
async function threeOrigins() {
  const keys: (string | undefined)[][] = [[], [], []]
  const started = await startReconcileServers({
    count: 3,
    upBytesPerSecond: 2 * MB,
    gate: (server, request) => {
      const isTests = request.headers['tus-resumable'] === undefined
      if (request.method !== 'OPTIONS' && !isTests) keys[server]?.push(request.headers.authorization)
      return true
    },
  })
  cleanups.push(() => started.close())
  const [primary, mirror, other] = started.servers
  if (!primary || !mirror || !other) throw new Error('no servers')
  // who knows whom they have asked each other before
  for (const each of keys) each.length = 0
  return { all: started.servers, primary, mirror, other, keysAt: (server: number) => new Set(keys[server]) }
}

/** Each server gets sessions, operations and an event stream. */
async function upload(primary: TestServer, options: Omit<AdaptiveUploadOptions, 'endpoint'>): Promise<LoggedEvent[]> {
  const next = new AdaptiveUpload(randomBytes(6 * MB), { ...nodeClient(), endpoint: primary.endpoint, ...options })
  const events: LoggedEvent[] = []
  next.on('event', (event) => events.push(event))
  await next.start()
  const completed = events.flatMap((event) => (event.type === 'completed' ? [event.server] : []))
  expect(new Set(completed)).toEqual(new Set([0, 1, 2]))
  return events
}

describe('headers of the application, in Node', () => {
  it('go to the origin of the endpoint alone; a mirror gets those that it is given', async () => {
    const { primary, mirror, other, keysAt } = await threeOrigins()
    const mirrors = [mirror.endpoint, { endpoint: other.endpoint, headers: { Authorization: 'of-the-mirror' } }]
    const events = await upload(primary, { mirrors, headers: { Authorization: SECRET } })
    expect([0, 1, 2].map(keysAt)).toEqual([new Set([SECRET]), new Set([undefined]), new Set(['of-the-mirror'])])
    expect(JSON.stringify(events)).not.toContain(SECRET)
  })

  it('from a function are asked for with the address, of the origin of the endpoint alone', async () => {
    const { primary, mirror, other, keysAt } = await threeOrigins()
    const asked = new Set<string>()
    const headers = async ({ endpoint }: { endpoint: string }) => {
      asked.add(new URL(endpoint).origin)
      return { Authorization: SECRET }
    }
    await upload(primary, { mirrors: [mirror.endpoint, other.endpoint], headers })
    expect(asked).toEqual(new Set([new URL(primary.endpoint).origin]))
    expect([0, 1, 2].map(keysAt)).toEqual([new Set([SECRET]), new Set([undefined]), new Set([undefined])])
  })
})

describe.skipIf(!hasChromium)('headers of the application, in Chromium', () => {
  it('go to the origin of the endpoint alone', async () => {
    const { all, keysAt } = await threeOrigins()
    const site = await PageSite.open()
    cleanups.push(() => site.close())
    const context = await site.openContext()
    const kept: string[] = []
    await context.exposeFunction('noteKept', (key: string, text: string) => kept.push(key + text))
    await context.addInitScript(() => {
      const { setItem } = Storage.prototype
      Storage.prototype.setItem = function (key: string, text: string) {
        Reflect.get(window, 'noteKept')(key, text)
        setItem.call(this, key, text)
      }
    })
    const page = await site.openPage(all, { context, header: `Authorization=${SECRET}` })
    const file = await site.randomFile(6 * MB)
    await page.setInputFiles('input', file.path)
    expect(await outcome(page)).toHaveProperty('url')
    expect([0, 1, 2].map(keysAt)).toEqual([new Set([SECRET]), new Set([undefined]), new Set([undefined])])
    // nor do they stay on the device, or the file's name
    expect(kept.some((text) => text.startsWith('uppy-adaptive:upload:'))).toBe(true)
    expect(kept.join()).not.toMatch(new RegExp(`${SECRET}|${basename(file.path)}`))
  })
})
