import { expect, test } from 'vitest'
import { ScriptedPort, silence } from '../../testing/scripted-port.js'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { strictLog } from '../../testing/strict-log.js'
import { broken, OrderedRandomness } from '../../testing/transfer-rig.js'
import { KnownServers } from '../kept/known-servers.js'
import type { LoggedEvent } from '../log/event-log.js'
import type { Capabilities } from '../ports.js'
import { UploadError } from '../upload-error.js'
import { PauseGate } from '../waiting/pause-gate.js'
import { Rests } from '../waiting/rests.js'
import { Connector } from './connector.js'
import type { Store } from './server-directory.js'
import { ServerDirectory } from './server-directory.js'

const ANSWER: Capabilities = { kind: 'reconcile', storeId: 's0', limit: {}, extensions: [] }
const NEVER = new AbortController().signal

function connecting(giveUpAfterMs = 600_000) {
  const clock = new SimulatedClock()
  const { log, events } = strictLog(clock)
  const directory = new ServerDirectory(log)
  const [rests, gate] = [new Rests(clock), new PauseGate()]
  const [known, heard, randomness] = [new KnownServers(clock), [] as string[], new OrderedRandomness()]
  const create = () =>
    new Connector({
      directory,
      log,
      clock,
      rests,
      randomness,
      known,
      gate,
      giveUpAfterMs,
      onHeard: (store) => heard.push(store),
      onAway: () => {},
    })
  const port = new ScriptedPort('http://up.test/files')
  return { clock, rests, gate, events, directory, connector: create(), create, known, heard, port }
}

const warnings = (events: LoggedEvent[]) => events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))

test('a primary that answers is a store', async () => {
  const { connector, port, directory } = connecting()
  port.onProbe = () => ANSWER
  expect(await connector.connectPrimary(port, NEVER)).toEqual(ANSWER)
  expect(directory.get('s0')).toMatchObject({ server: 0, state: 'ready' })
})

test('nobody is asked in a pause, which is not counted as a round trip; whoever was being asked is asked anew', async () => {
  const { connector, port, clock, gate, directory } = connecting()
  port.onProbe = () => (port.probes === 1 ? silence() : ANSWER)
  const answer = connector.connectPrimary(port, NEVER)
  await clock.run(100)
  gate.close('user')
  await clock.run(60_000)
  expect([port.probes, clock.timers]).toEqual([1, 0])
  gate.open('user')
  expect(await clock.settle(answer)).toEqual(ANSWER)
  expect(port.probes).toBe(2)
  expect(directory.get('s0')?.route.probeMs).toBe(0)
})

test('a stop ends the wait for the end of a pause', async () => {
  const { connector, port, clock, gate } = connecting()
  const stop = new AbortController()
  gate.close('user')
  const stopped = connector.connectPrimary(port, stop.signal).catch((error: UploadError) => error.code)
  await clock.run(1_000)
  stop.abort()
  expect([await clock.settle(stopped), port.probes]).toEqual(['aborted', 0])
})

test('a primary that does not answer yet is asked again, and said once to be away', async () => {
  const { connector, port, clock, events } = connecting()
  port.onProbe = () => (port.probes < 4 ? broken() : ANSWER)
  await clock.settle(connector.connectPrimary(port, NEVER))
  expect([port.probes, warnings(events)]).toEqual([4, ['unreachable']])
})

test('a primary that never answers is given up after half a minute, or sooner where less patience is asked for', async () => {
  for (const [giveUpAfterMs, most] of [
    [600_000, 45_000],
    [1_000, 7_000],
  ] as const) {
    const { connector, port, clock } = connecting(giveUpAfterMs)
    const failure = clock.settle(connector.connectPrimary(port, NEVER))
    await expect(failure).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(port.endpoint),
    })
    expect(clock.now()).toBeLessThan(most)
    expect(clock.timers).toBe(0)
  }
})

test('a machine that sleeps while it asks has not waited', async () => {
  const { connector, port, clock } = connecting()
  port.onProbe = () => (port.probes < 3 ? silence() : ANSWER)
  const connected = connector.connectPrimary(port, NEVER)
  for (let naps = 0; naps < 2; naps++) {
    await clock.run(1_000)
    clock.advance(3_600_000)
    await clock.run(1_000)
  }
  await clock.settle(connected)
  expect(port.probes).toBe(3)
})

test('an address that is no tus server’s is not asked twice', async () => {
  const { connector, port } = connecting()
  port.onProbe = () => {
    throw new UploadError('not-a-tus-server', 'it is a web site')
  }
  await expect(connector.connectPrimary(port, NEVER)).rejects.toMatchObject({ code: 'not-a-tus-server' })
  expect(port.probes).toBe(1)
})

test('a mirror is asked until it answers, however late, and is welcome then', async () => {
  const { connector, port, clock, events } = connecting()
  const ready: Store[] = []
  port.onProbe = () => (clock.now() < 300_000 ? broken() : ANSWER)
  await clock.settle(connector.connectMirror(port, 1, { signal: NEVER, onReady: (store) => ready.push(store) }))
  expect(ready).toMatchObject([{ id: 's0', server: 1 }])
  expect(warnings(events)).toEqual(['mirror-unreachable'])
})

for (const [why, onProbe, code] of [
  ['is a plain tus server', (): Capabilities => ({ ...ANSWER, kind: 'tus' }), 'mirror-without-extension'],
  [
    'is no tus server',
    (): never => {
      throw new UploadError('not-a-tus-server', 'it is a web site')
    },
    'mirror-unusable',
  ],
] as const) {
  test(`a mirror that ${why} is a warning, and the upload goes on without it`, async () => {
    const { connector, port, events } = connecting()
    port.onProbe = onProbe
    await connector.connectMirror(port, 1, { signal: NEVER, onReady: broken })
    expect([port.probes, warnings(events)]).toEqual([1, [code]])
  })
}

test('a stop ends the search for a mirror, and leaves no timer', async () => {
  const { connector, port, clock } = connecting()
  const stop = new AbortController()
  const search = connector.connectMirror(port, 1, { signal: stop.signal, onReady: broken })
  await clock.run(7_000)
  stop.abort()
  await search
  expect(clock.timers).toBe(0)
})

test('the uploads of a page ask a server once, and believe it for five minutes', async () => {
  const { create, port, clock, heard } = connecting()
  port.onProbe = () => ANSWER
  const first = create()
  await first.connectPrimary(port, NEVER)
  expect([port.probes, first.usedMemory, heard]).toEqual([1, false, ['s0']])
  const second = create()
  await second.connectPrimary(port, NEVER)
  // what is remembered is no sign of life
  expect([port.probes, second.usedMemory, heard]).toEqual([1, true, ['s0']])
  await clock.run(300_000)
  await create().connectPrimary(port, NEVER)
  expect(port.probes).toBe(2)
})

test('uploads that begin together ask once between them', async () => {
  const { create, port, clock } = connecting()
  let answer = (_: Capabilities) => {}
  port.onProbe = () => new Promise((resolve) => (answer = resolve))
  const all = [create(), create(), create()].map((each) => each.connectPrimary(port, NEVER))
  await clock.run(10)
  answer(ANSWER)
  expect(await Promise.all(all)).toEqual([ANSWER, ANSWER, ANSWER])
  expect(port.probes).toBe(1)
})

test('an upload that is stopped while it asks keeps no other from asking, nor waits for another’s answer', async () => {
  const { create, port, clock } = connecting()
  const [first, second] = [new AbortController(), new AbortController()]
  port.onProbe = () => (port.probes < 2 ? silence() : ANSWER)
  const stopped = create().connectPrimary(port, first.signal)
  const waiting = create().connectPrimary(port, second.signal)
  const asking = create().connectPrimary(port, NEVER)
  second.abort()
  await expect(waiting).rejects.toThrow()
  first.abort()
  await expect(stopped).rejects.toThrow()
  expect(await clock.settle(asking)).toEqual(ANSWER)
})

test('what was remembered and is forgotten is asked for again', async () => {
  const { create, port } = connecting()
  port.onProbe = () => ({ ...ANSWER, storeId: `s${port.probes}` })
  await create().connectPrimary(port, NEVER)
  const second = create()
  await second.connectPrimary(port, NEVER)
  second.forget()
  expect(await create().connectPrimary(port, NEVER)).toMatchObject({ storeId: 's2' })
})
