import { startReconcileServers } from 'reconcile-test-support/reconcile-servers'
import { DefaultHttpStack } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ReconcileClient } from '../../packages/uppy-adaptive/src/io/reconcile-client.js'
import type { ServerPort } from '../../packages/uppy-adaptive/src/orchestration/ports.js'
import { MemoryPort } from '../../packages/uppy-adaptive/src/testing/memory-port.js'
import { MemoryServer } from '../../packages/uppy-adaptive/src/testing/memory-server.js'
import { SimulatedClock } from '../../packages/uppy-adaptive/src/testing/simulated-clock.js'
import { PortedClient } from './ported-client.js'
import { B, newId } from './wire-file.js'

// The servers that simulations run against are a model: whatever the engine counts upon is asked of both, by our client's own port.

/** Two servers that are peers; the first is the home. */
interface Servers {
  readonly ports: readonly [ServerPort, ServerPort]
  during<T>(promise: Promise<T>): Promise<T>
  /** Ends the home's process and starts it again. */
  restart(): Promise<void>
  close(): Promise<void>
}

async function real(): Promise<Servers> {
  const { servers, close } = await startReconcileServers({ count: 2 })
  const options = {
    ...{ stack: new DefaultHttpStack({}), fetch, headers: {}, withCredentials: false, addRequestId: false },
    ...{ onBeforeRequest: undefined, onAfterResponse: undefined },
  }
  const [home, mirror] = servers.map(({ direct }) => new ReconcileClient({ endpoint: direct }, options))
  if (!home || !mirror) throw new Error('two servers were asked for')
  return { ports: [home, mirror], during: (promise) => promise, restart: async () => servers[0]?.restart(), close }
}

async function inMemory(): Promise<Servers> {
  const clock = new SimulatedClock()
  const peers: MemoryServer[] = []
  const servers = ['home', 'mirror'].map(
    (name) => new MemoryServer({ id: newId(), clock, peers, commitMs: name === 'home' ? 10 : 0 }),
  )
  peers.push(...servers)
  const [home, mirror] = servers.map((server) => {
    const port = new MemoryPort(server, clock)
    port.upBytesPerSecond = 100_000_000
    return port
  })
  if (!home || !mirror) throw new Error('two servers were asked for')
  return {
    ports: [home, mirror],
    during: (promise) => clock.settle(promise),
    restart: async () => {
      servers[0]?.crash(true)
      servers[0]?.restart()
    },
    close: async () => {},
  }
}

/** Until the answer is so: peers tell each other what they know in their own time. */
async function until<T>(client: PortedClient, ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (isSo(answer)) return answer
    if (tries > 400) throw new Error(`it never came to be: ${JSON.stringify(answer)}`)
    await client.during(ask())
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.each([
  ['a real server', real],
  ['a server in memory', inMemory],
])('%s', (_name, open) => {
  let servers: Servers
  let home: ServerPort
  let mirror: ServerPort
  let homeId = ''
  let mirrorId = ''
  beforeAll(async () => {
    servers = await open()
    ;[home, mirror] = servers.ports
    const ids = servers.ports.map(
      async (port) => (await servers.during(port.probe(new AbortController().signal))).storeId ?? '',
    )
    ;[homeId = '', mirrorId = ''] = await Promise.all(ids)
  })
  afterAll(() => servers.close())

  const client = (source: number | Buffer<ArrayBuffer> = 3 * B + 5) =>
    new PortedClient({ source, home: homeId, during: (promise) => servers.during(promise) })

  test('P4: two servers state two names', () => {
    expect([homeId.length, mirrorId.length, homeId === mirrorId]).toEqual([22, 22, false])
  })

  test('P18, P28: a creation takes its bytes, and a PATCH goes on', async () => {
    const a = client()
    const session = a.session(0, 2 * B)
    expect(await a.send(home, session, { to: 1000 })).toMatchObject({ kind: 'accepted', offset: 1000 })
    expect(await a.send(home, session, { from: 1000 })).toMatchObject({ kind: 'accepted', offset: 2 * B })
  })

  test('P22, P23: a repeated creation looks up without a body, and takes nothing of one', async () => {
    const a = client()
    const session = await a.uploaded(home, B, 3 * B, { to: B + 100 })
    expect(await a.send(home, session, { to: B, creates: true })).toMatchObject({ kind: 'accepted', offset: B + 100 })
    expect(await a.send(home, session, { creates: true })).toMatchObject({ kind: 'mismatch', offset: B + 100 })
  })

  test('P25, P29: an older attempt and a wrong offset are refused, and change nothing', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, B, { to: 500 })
    expect(await a.send(home, session, { from: 500, attempt: 0 })).toMatchObject({ kind: 'mismatch', offset: 500 })
    expect(await a.send(home, session, { from: 600 })).toMatchObject({
      kind: 'mismatch',
      offset: 500,
      reachedEnd: false,
    })
    expect(await a.send(home, session, { from: 500 })).toMatchObject({ kind: 'accepted', offset: B })
  })

  test('P31, P32: bytes beyond the planned end are left, beyond the file refused', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, B, { to: 500 })
    const over = { from: 500, to: 2 * B, bytes: a.file.bytes.subarray(500, 2 * B) }
    expect(await a.send(home, session, over)).toMatchObject({ kind: 'mismatch', offset: B, reachedEnd: true })
    const last = await a.uploaded(home, 2 * B, a.file.size, { to: 2 * B + 1 })
    const beyond = { from: 2 * B + 1, to: a.file.size + 9, bytes: new Uint8Array(B + 13) }
    expect(await a.send(home, last, beyond)).toMatchObject({ kind: 'tooLarge' })
  })

  test('P12: an end that is neither a block’s nor the file’s is refused', async () => {
    const a = client()
    const session = a.session(0, B + 1)
    expect(await a.send(home, session, { to: 0 })).toMatchObject({ kind: 'refused', status: 400 })
  })

  test('P50, P51: what is dropped is over, seen or unseen, and says how', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, B, { to: 500 })
    const never = a.session(B, 2 * B)
    const changes = [
      { session: session.id, drop: true as const, reason: 'taken over' },
      { session: never.id, drop: true as const, reason: 'superseded' },
    ]
    const { sessions } = await a.ask(home, { op: 'plan', changes })
    expect(sessions.map(({ state }) => state)).toEqual(['failed', 'superseded'])
    expect(await a.send(home, session, { from: 500 })).toMatchObject({ kind: 'over', state: 'terminated' })
    expect(await a.send(home, never)).toMatchObject({ kind: 'over', state: 'superseded' })
  })

  test('P49: plan lowers an end to a block’s, not below what has arrived, and never raises it', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, 3 * B, { to: B + 9 })
    const planned = async (end: number) => {
      const { sessions } = await a.ask(home, { op: 'plan', changes: [{ session: session.id, end }] })
      return sessions[0]?.end
    }
    expect([await planned(0), await planned(B), await planned(3 * B)]).toEqual([2 * B, 2 * B, 2 * B])
  })

  test('P52, P54, P47: claims before and after the bytes verify them, and status says so', async () => {
    const a = client()
    const early = a.session(0, B)
    await a.send(home, early, { to: 7 })
    expect(await a.claim(home, early)).toMatchObject({ verified: [], bad: [], conflict: [] })
    await a.send(home, early, { from: 7 })
    const late = await a.uploaded(home, B, 2 * B)
    expect((await a.claim(home, late)).verified).toEqual([{ start: B, end: 2 * B }])
    const status = await until(
      a,
      () => a.ask(home, { op: 'status' }),
      ({ verified }) => verified[0]?.start === 0,
    )
    expect(status).toMatchObject({ state: 'open', size: a.file.size, verified: [{ start: 0, end: 2 * B }], url: null })
    expect(status.sessions.map(({ state, offset }) => [state, offset])).toEqual([
      ['completed', B],
      ['completed', B],
    ])
  })

  test('P53, P55: bytes with another digest are bad and come again; another claim of a verified block conflicts', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, B, { bytes: new Uint8Array(B) })
    expect((await a.claim(home, session)).bad).toEqual([{ start: 0, end: B }])
    expect((await a.ask(home, { op: 'status' })).bad).toEqual([{ start: 0, end: B }])
    const again = await a.uploaded(home, 0, B)
    const { verified } = await until(
      a,
      () => a.ask(home, { op: 'status' }),
      (status) => status.verified.length > 0,
    )
    expect(verified).toEqual([{ start: 0, end: B }])
    const other = a.file.leaves(B, 2 * B)
    expect((await a.claim(home, again, other)).conflict).toEqual([{ start: 0, end: B }])
  })

  test('P130, P131, P67: a copy that verifies first wins, and the writer has nothing left to bring', async () => {
    const a = client()
    const slow = a.session(0, B, 'p')
    await a.send(home, slow, { to: 100 })
    const copy = a.session(0, B, 'p')
    await a.send(home, copy)
    const answer = await a.claim(home, copy)
    expect(answer).toMatchObject({ verified: [{ start: 0, end: B }], superseded: [slow.id] })
    expect(await a.send(home, slow, { from: 100 })).toMatchObject({ kind: 'over', state: 'superseded' })
  })

  test('P40, P132: what an ended session had begun is free, and a whole copy takes its place', async () => {
    const a = client()
    const first = await a.uploaded(home, 0, 2 * B, { to: 100 })
    const second = await a.uploaded(home, 0, B)
    await a.ask(home, { op: 'plan', changes: [{ session: first.id, drop: true }] })
    expect((await a.ask(home, { op: 'status' })).stored).toEqual([{ start: 0, end: B }])
    expect((await a.claim(home, second)).verified).toEqual([{ start: 0, end: B }])
  })

  test('P57: have names what is verified here with that digest at that offset, and nothing else', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, B)
    await a.claim(home, session)
    const [leaf = '', next = ''] = a.file.leaves()
    const blocks = [
      { start: 0, leaf },
      { start: B, leaf: next },
    ]
    expect(await a.ask(home, { op: 'have', blocks })).toEqual({ attached: [{ start: 0, end: B }] })
  })

  test('P133, P134, P226: what is there at another offset is copied, and a claim tells it from what was sent, again and again', async () => {
    const a = client(Buffer.alloc(5 * B, 7))
    const sent = await a.uploaded(home, 0, B)
    expect(await a.claim(home, sent)).toMatchObject({ verified: [{ start: 0, end: B }], attached: [] })
    const leaves = a.file.leaves()
    const blocks = [0, 1].map((index) => ({ start: index * B, leaf: leaves[index] ?? '' }))
    expect(await a.ask(home, { op: 'have', blocks })).toEqual({ attached: [{ start: 0, end: 2 * B }] })
    const rest = await a.uploaded(home, 2 * B, 5 * B, { to: 2 * B + 100 })
    const whole = a.session(0, 5 * B)
    for (const session of [rest, whole, whole]) {
      const { verified, attached } = await a.claim(home, session)
      expect(verified).toEqual([{ start: session.start, end: 5 * B }])
      expect(attached).toEqual([{ start: Math.max(B, session.start), end: 5 * B }])
    }
  })

  test('P58, P59, P60, P62, P63: commit says what is missing, then makes the file once', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, a.file.size - 5)
    await a.claim(home, session)
    const rest = { start: 3 * B, end: a.file.size }
    expect(await a.commit(home)).toMatchObject({ state: 'incomplete', missing: [rest], bad: [] })
    await a.claim(home, await a.uploaded(home, rest.start, rest.end))
    await expect(a.commit(home, a.file.leaves()[0])).rejects.toMatchObject({ status: 460, code: 'root-mismatch' })
    const made = await a.commit(home)
    expect(made).toMatchObject({ state: 'committed', url: expect.stringContaining(a.file.group) })
    expect(await a.commit(home)).toEqual(made)
    await expect(a.commit(home, a.file.leaves()[0])).rejects.toMatchObject({ status: 400 })
    expect(await a.ask(home, { op: 'status' })).toMatchObject({ state: 'committed', verified: [], stored: [], bad: [] })
    expect(await a.send(home, a.session(0, B))).toMatchObject({ kind: 'over', state: 'committed' })
  })

  test('an empty file is a creation without bytes and a commit', async () => {
    const a = client(0)
    await a.send(home, a.session(0, 0))
    expect(await a.commit(home)).toMatchObject({ state: 'committed' })
  })

  test('P46, P84, P61: what a mirror verified the home knows and fetches, and operations go through either', async () => {
    const a = client()
    await a.claim(home, await a.uploaded(home, 0, B))
    const session = await a.uploaded(mirror, B, a.file.size)
    await a.claim(mirror, session)
    await until(
      a,
      () => a.ask(mirror, { op: 'status', store: homeId }),
      ({ verified }) => verified[0]?.end === a.file.size,
    )
    const made = await until(
      a,
      () => a.commit(mirror),
      ({ state }) => state === 'committed',
    )
    expect(made).toMatchObject({ pulledAtCommit: expect.any(Number) })
    await until(
      a,
      () => a.ask(mirror, { op: 'status' }),
      ({ state }) => state === 'committed',
    )
  })

  test('P67: a mirror’s session of what is verified at the home has nothing left to bring', async () => {
    const a = client()
    const late = a.session(0, B, 'p')
    await a.send(mirror, late, { to: 10 })
    const copy = a.session(0, B, 'p')
    await a.send(home, copy)
    await a.claim(home, copy)
    const asked = () => a.ask(mirror, { op: 'status', store: mirrorId })
    const { verified } = await until(a, asked, (status) => status.verified.length > 0)
    expect(verified).toEqual([{ start: 0, end: B }])
  })

  test('P45, P86: unknown groups and stores are 404', async () => {
    const a = client()
    await expect(a.ask(home, { op: 'status' })).rejects.toMatchObject({ status: 404, code: 'unknown-group' })
    await a.uploaded(home, 0, B)
    await expect(a.ask(home, { op: 'status', store: newId() })).rejects.toMatchObject({
      status: 404,
      code: 'unknown-store',
    })
  })

  test('P64, P70, P48: terminate ends the group everywhere, is repeatable, and leaves a tombstone', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, B)
    await a.uploaded(mirror, B, 2 * B)
    expect(await a.ask(mirror, { op: 'terminate' })).toEqual({ state: 'terminated' })
    expect(await a.ask(home, { op: 'terminate' })).toEqual({ state: 'terminated' })
    expect(await a.ask(home, { op: 'status' })).toMatchObject({ state: 'terminated', stored: [] })
    await expect(a.claim(home, session)).rejects.toMatchObject({ status: 410, code: 'group-ended' })
    expect(await a.send(home, a.session(0, B))).toMatchObject({ kind: 'over', state: 'terminated' })
    await until(
      a,
      () => a.ask(mirror, { op: 'status', store: mirrorId }),
      ({ state }) => state === 'terminated',
    )
  })

  test('P76, P77: events tell offsets and what is verified, and are said again after a break', async () => {
    const a = client()
    const hasBoth = (events: readonly { type: string }[]) =>
      ['offset', 'verified'].every((wanted) => events.some(({ type }) => type === wanted))
    const act = async () => a.claim(home, await a.uploaded(home, 0, B))
    const { events, ids } = await a.heard(home, act, { until: hasBoth })
    expect(events.find(({ type }) => type === 'verified')).toMatchObject({ ranges: [{ start: 0, end: B }] })
    const [first = ''] = ids
    const isAll = (all: readonly unknown[]) => all.length === events.length - 1
    const again = await a.heard(home, async () => {}, { until: isAll, lastEventId: first })
    expect(again.events).toEqual(events.slice(1))
    const unknown = await a.heard(home, async () => {}, { until: (all) => all.length > 0, lastEventId: 'abc-5' })
    expect(unknown.events[0]).toEqual({ type: 'reset' })
  })

  test('P21, P160: what was told is known after a restart', async () => {
    const a = client()
    const session = await a.uploaded(home, 0, 3 * B, { to: 2 * B + 77 })
    await a.claim(home, session, a.file.leaves(0, B))
    await servers.restart()
    const status = await until(
      a,
      () => a.ask(home, { op: 'status' }),
      () => true,
    )
    expect(status).toMatchObject({ verified: [{ start: 0, end: B }], stored: [{ start: 0, end: 2 * B }] })
    expect(await a.send(home, session, { to: 0, creates: true })).toMatchObject({
      kind: 'accepted',
      offset: 2 * B + 77,
    })
    expect(await a.send(home, session, { from: 2 * B + 77 })).toMatchObject({ kind: 'accepted', offset: 3 * B })
  })
})
