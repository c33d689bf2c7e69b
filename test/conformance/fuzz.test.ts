import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { startReconcileServers } from 'reconcile-test-support/reconcile-servers'
import { expect, test } from 'vitest'
import { fuzzedRequest } from './fuzz-requests.js'
import type { Target } from './fuzz-values.js'
import { receiverAt, signatureOf } from './peer-signature.js'
import { isWhole, type RawReply, type RawRequest, sendRaw } from './raw-http.js'
import { B, send, sha256, WireClient, WireFile } from './wire-client.js'

/** By hand: FUZZ_REQUESTS=100000 FUZZ_SEED=7 node scripts/vitest.mjs run --project conformance fuzz */
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 600)
const SEED = process.env.FUZZ_SEED ?? '1'
const AT_ONCE = 8
/** What the process may hold more at the end than at the beginning (guess: far below what one request could be made to). */
const MAX_GROWTH_BYTES = 200_000_000

/** The first column of the table of statuses. */
async function documentedStatuses(): Promise<Set<number>> {
  const text = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('\n## 8. '), text.indexOf('\n## 9. '))
  const cells = [...section.matchAll(/^\| ([^|]+)\|/gm)].map(([, cell]) => cell ?? '')
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/\b[1-5]\d\d\b/g)].map(([status]) => Number(status))))
}

/** Statuses that say that the server, or what it stands on, is at fault: documented, but no request may bring one about. */
const FAULTS: ReadonlySet<number> = new Set([500, 502, 504])

test('P207: A server MUST NOT answer with a status that this table does not name, unless a hook has chosen it', async () => {
  const { servers, close } = await startReconcileServers({ count: 2 })
  const [server] = servers
  if (!server) throw new Error('two servers were asked for')
  const storeId = (await send(server.direct, { method: 'OPTIONS' })).headers.get('store-id') ?? ''
  const statuses = await documentedStatuses()
  const random = seededRandom(SEED)
  const origin = new URL(server.direct)
  const seen = new Map<string, number>()
  const strange: string[] = []
  const before = heapBytes()
  const one = async (): Promise<void> => {
    const request = fuzzedRequest(random, target)
    const reply = await sendRaw(origin, request)
    count(seen, String(reply.status))
    const fault = faultOf(request, reply, { statuses, directory: server.directory })
    if (fault !== undefined)
      strange.push(`${fault}: ${printed(request)} -> ${reply.status} ${reply.body.slice(0, 300)}`)
  }
  const client = new WireClient(server.direct, storeId, new WireFile(2 * B))
  const session = await client.upload(0, B)
  const { group, client: id } = client.file
  const secret = 'only-for-tests-0123456789'
  const to = await receiverAt(server.direct, secret)
  const sign = (body: string): string => signatureOf({ secret, body, to })
  const target: Target = { path: '/files', storeId, group, session: session.id, client: id, sign }
  for (let done = 0; done < REQUESTS && strange.length < 5; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, one))
  }
  expect(strange).toEqual([])
  if (REQUESTS > 10_000) console.info(Object.fromEntries(seen), { growth: heapBytes() - before })
  expect(heapBytes() - before).toBeLessThan(MAX_GROWTH_BYTES)
  // nothing beside the servers' own directories, and in them nothing but names of ours
  expect((await readdir(dirname(server.directory))).sort()).toEqual(['server-0', 'server-1'])
  const names = await readdir(server.directory)
  expect(names.filter((name) => !/^(\.reconcile|[\w-]{16,64}(\.partial)?(\.json)?)$/.test(name))).toEqual([])
  // and everything works as before
  const after = new WireClient(server.direct, storeId, new WireFile(2 * B + 5))
  await after.claim(await after.upload(0, 2 * B + 5))
  const commit = await after.commit()
  expect(commit.status).toBe(201)
  expect(sha256((await send(String(commit.json.url))).bytes)).toEqual(sha256(after.file.bytes))
  await close()
}, 3_600_000)

function faultOf(
  request: RawRequest,
  reply: RawReply,
  known: { readonly statuses: ReadonlySet<number>; readonly directory: string },
): string | undefined {
  if (reply.status === undefined) return mustBeAnswered(request) ? 'no answer' : undefined
  if (!known.statuses.has(reply.status)) return 'a status that is not documented'
  if (FAULTS.has(reply.status)) return 'a fault of the server'
  const text = `${reply.head}\n${reply.body}`
  if (text.includes(known.directory) || /\n\s+at .+:\d+:\d+/.test(text)) return 'a path or a stack in the answer'
  if (/^X-Injected/im.test(reply.head)) return 'a header of the request in the answer'
  return undefined
}

/** Small and whole. Of what is large, or broken off, a reset may swallow the answer. */
function mustBeAnswered(request: RawRequest): boolean {
  const headBytes = request.headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return isWhole(request) && headBytes < 8000 && request.body.length < 8000 && request.method !== 'CONNECT'
}

function printed({ method, target, headers, body }: RawRequest): string {
  const short = headers.map(([name, value]) => [name, value.slice(0, 300)])
  return JSON.stringify({ method, target: target.slice(0, 300), headers: short, body: body.slice(0, 300) })
}

function count(seen: Map<string, number>, key: string): void {
  seen.set(key, (seen.get(key) ?? 0) + 1)
}

function heapBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
