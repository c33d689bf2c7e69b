import type { OutgoingHttpHeaders } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { decideNextStep, failureOf } from '../orchestration/failure-rules.js'
import type { Fault } from '../orchestration/failure-table.js'
import { FAILURES, ruleOfFault } from '../orchestration/failure-table.js'
import type { HeaderSource } from '../orchestration/options.js'
import type { AttemptOutcome } from '../orchestration/ports.js'
import { AnsweringServers, ATTEMPT, clientOf } from '../testing/answering-server.js'

const TUS = { 'Tus-Resumable': '1.0.0' }

const servers = new AnsweringServers()
afterEach(() => servers.close())
const listen: AnsweringServers['listen'] = (answer) => servers.listen(answer)

async function answered(status: number, headers: OutgoingHttpHeaders, source?: HeaderSource): Promise<AttemptOutcome> {
  const endpoint = await listen((_req, res) => res.writeHead(status, headers).end('no'))
  return clientOf(endpoint, source && { headers: source }).attempt(ATTEMPT)
}

const statusRows = FAILURES.flatMap((rule) =>
  rule.on.flatMap((trigger) => {
    const status = typeof trigger === 'object' ? trigger[0] : trigger
    return typeof status === 'number' ? [{ status, rule, retryAfter: rule.retryAfter ?? false }] : []
  }),
)

test.each(statusRows)(
  '$status is what its row says (Retry-After: $retryAfter)',
  async ({ status, rule, retryAfter }) => {
    const outcome = await answered(status, { ...TUS, ...(retryAfter ? { 'Retry-After': '4' } : {}) })
    expect([outcome.kind, failureOf(outcome)]).toEqual([rule.kind, rule.tells])
    const lasting = decideNextStep(outcome, { fruitless: 2, hasAlternative: true, uniform: 1 })
    const alone = decideNextStep(outcome, { fruitless: 2, hasAlternative: false, uniform: 1 })
    expect(lasting.kind === 'end').toBe(rule.elsewhere !== 'no')
    expect(alone.kind === 'wait').toBe(rule.isWaitedFor)
  },
)

/** How to make each fault with real sockets; a browser's own is in the end-to-end tests. */
const FAULTS: { readonly [fault in Exclude<Fault, 'status 0' | 'no route' | 'timed out'>]: () => Promise<string> } = {
  reset: () => listen((req) => req.socket.destroy()),
  'refused connection': async () => {
    const endpoint = await listen(() => {})
    await servers.close()
    return endpoint
  },
  DNS: async () => 'http://nowhere.invalid/files',
  TLS: async () => (await listen(() => {})).replace('http:', 'https:'),
  'no Tus-Resumable': () => listen((_req, res) => res.writeHead(200).end('<h1>Sign in to the Wi-Fi</h1>')),
  'incomplete answer': () => listen((_req, res) => res.writeHead(201, TUS).end()),
}

test.each(Object.entries(FAULTS))('%s is known by what it does', async (fault, make) => {
  const outcome = await clientOf(await make()).attempt(ATTEMPT)
  const rule = ruleOfFault(fault as Fault)
  expect(outcome).toMatchObject({ kind: 'cut', fault })
  expect(failureOf(outcome)).toBe(rule.tells)
  const next = decideNextStep(outcome, { fruitless: 0, hasAlternative: false, uniform: 1 })
  expect(next.kind).toBe(rule.arrived === 'no' ? 'wait' : 'look')
})

test('an answer that breaks off is a broken connection', async () => {
  const endpoint = await listen((req, res) => {
    res.writeHead(201, { ...TUS, 'Content-Length': '9' }).flushHeaders()
    res.write('half', () => req.socket.destroy())
  })
  expect(await clientOf(endpoint).attempt(ATTEMPT)).toMatchObject({ kind: 'cut', fault: 'reset' })
})

test.each([
  ['7', undefined, 7_000],
  ['0.5', undefined, 500],
  ['Mon, 02 Nov 2026 10:00:30 GMT', 'Mon, 02 Nov 2026 10:00:00 GMT', 30_000],
  ['Mon, 02 Nov 2026 09:00:00 GMT', 'Mon, 02 Nov 2026 10:00:00 GMT', 0],
  ['Mon, 02 Nov 2015 10:00:30 GMT', undefined, 0],
  ['soon', undefined, undefined],
  ['-5', undefined, undefined],
])('Retry-After %s, said at %s, is %s ms', async (retryAfter, date, retryAfterMs) => {
  const outcome = await answered(503, { ...TUS, 'Retry-After': retryAfter, ...(date ? { Date: date } : {}) })
  expect(outcome).toEqual({ kind: 'wait', status: 503, retryAfterMs })
})

test('a gateway’s 401 without Tus-Resumable counts where there are credentials to ask for, else as the network’s', async () => {
  expect(await answered(401, {})).toMatchObject({ kind: 'cut', fault: 'no Tus-Resumable' })
  expect(await answered(401, {}, () => ({}))).toMatchObject({ kind: 'denied', isRenewed: true })
})

test('credentials that expire are asked for again, also for an operation and the events', async () => {
  const endpoint = await listen((req, res) => {
    const isFresh = req.headers.authorization === 'fresh'
    if (!isFresh) return res.writeHead(401, TUS).end('{"error":{"code":"expired","message":"expired"}}')
    return res.writeHead(201, { ...TUS, 'Upload-Offset': '3', Location: '/files/x' }).end('{}')
  })
  const statuses: (number | undefined)[] = []
  let token = 'old'
  const headers: HeaderSource = async ({ refused }) => {
    if (refused) {
      statuses.push(refused.status)
      token = 'fresh'
    }
    return { Authorization: token }
  }
  const { signal, partition } = ATTEMPT
  const { group, home, client: id } = partition
  const status = { op: 'status', group, home, store: home, client: id } as const
  await expect(clientOf(endpoint, { headers }).operate(status, signal)).rejects.toMatchObject({ isRenewed: true })
  token = 'old'
  const nothing = () => {}
  const stream = { client: id, lastEventId: undefined, signal, onEvent: nothing, onAlive: nothing, onLoad: nothing }
  await expect(clientOf(endpoint, { headers }).listen(stream)).rejects.toThrow('401')
  token = 'old'
  const client = clientOf(endpoint, { headers })
  expect(await client.attempt(ATTEMPT)).toMatchObject({ kind: 'denied', isRenewed: true })
  expect(await client.attempt(ATTEMPT)).toMatchObject({ kind: 'accepted', offset: 3 })
  expect(statuses).toEqual([401, 401, 401])
})

test.each([408, 425, 429, 500, 503, 520])(
  'OPTIONS answered with %i: the server is away, and asked again',
  async (status) => {
    const endpoint = await listen((_req, res) => res.writeHead(status, TUS).end('no'))
    const probing = clientOf(endpoint).probe(new AbortController().signal)
    await expect(probing).rejects.toMatchObject({ code: 'unreachable', status })
  },
)

test.each([400, 404, 501])('OPTIONS answered with %i: there is no tus server', async (status) => {
  const endpoint = await listen((_req, res) => res.writeHead(status).end('no'))
  const probing = clientOf(endpoint).probe(new AbortController().signal)
  await expect(probing).rejects.toMatchObject({ code: 'not-a-tus-server', status })
})
