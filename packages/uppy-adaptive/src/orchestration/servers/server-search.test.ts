import { expect, test } from 'vitest'
import { sha256 } from '../../testing/known-bytes.js'
import { MemoryJournal } from '../../testing/memory-journal.js'
import { ScriptedPort } from '../../testing/scripted-port.js'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { strictLog } from '../../testing/strict-log.js'
import { OrderedRandomness } from '../../testing/transfer-rig.js'
import { outcomeOf, UploadWorld } from '../../testing/upload-world.js'
import { KnownServers } from '../kept/known-servers.js'
import { KnownStores } from '../kept/known-stores.js'
import { RouteHistory } from '../kept/route-history.js'
import { LoggedModel } from '../model/logged-model.js'
import type { HeaderSource, UploadOptions } from '../options.js'
import { resolveOptions } from '../options.js'
import type { Capabilities } from '../ports.js'
import { pause } from '../timing.js'
import { UploadError } from '../upload-error.js'
import { PauseGate } from '../waiting/pause-gate.js'
import { Rests } from '../waiting/rests.js'
import { ServerSearch } from './server-search.js'

const ENDPOINT = 'http://up.test/files'
const FILE = { sizeBytes: 9, contentType: 'video/mp4', metadata: { country: 'se' } }
const NOTHING_KNOWN = Promise.resolve(undefined)

function searching(options: Omit<UploadOptions, 'endpoint'>) {
  const clock = new SimulatedClock()
  const { log, events } = strictLog(clock)
  const stop = new AbortController()
  const stores = new KnownStores({ clock, digester: sha256, storage: new MemoryJournal() })
  const primary = new ScriptedPort(ENDPOINT)
  const ports: { endpoint: string; server: number; headers: HeaderSource | undefined }[] = []
  const failures: Error[] = []
  const search = new ServerSearch({
    ...{
      clock,
      rests: new Rests(clock),
      randomness: new OrderedRandomness(),
      known: new KnownServers(clock),
      gate: new PauseGate(),
      routes: new RouteHistory({ clock, storage: undefined, pasts: new Map() }),
      stores,
      log,
      primary,
    },
    options: resolveOptions({ endpoint: ENDPOINT, ...options }),
    model: new LoggedModel(log),
    signal: stop.signal,
    createPort: ({ endpoint, headers, localAddress }, server) => {
      ports.push({ endpoint, server, headers })
      const port = Object.assign(new ScriptedPort(endpoint), localAddress && { localAddress })
      port.onProbe = () => answer(`s${server}`)
      return port
    },
    onReady: () => {},
    onFailure: (error) => failures.push(error),
  })
  const warnings = () => events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  return { clock, search, primary, ports, failures, warnings, stop, stores }
}

function away(): never {
  throw new UploadError('unreachable', `${ENDPOINT} does not answer`)
}

function answer(storeId: string): Capabilities {
  return { kind: 'reconcile', storeId, limit: {}, extensions: [], commitsElsewhere: true }
}

test('the application chooses a file’s mirrors by the file, at once or later, each with its own headers', async () => {
  const headers = { Authorization: 'Bearer se' }
  const chosen = [{ endpoint: 'http://se.test/files/', headers }, 'http://no.test/files']
  for (const mirrors of [() => chosen, async () => chosen]) {
    const asked: unknown[] = []
    const { clock, search, ports } = searching({
      mirrors: (file) => {
        asked.push(file)
        return mirrors()
      },
    })
    search.lookForMirrors(FILE)
    await clock.run(10)
    expect(asked).toEqual([FILE])
    expect(ports).toEqual([
      { endpoint: 'http://se.test/files', server: 1, headers },
      { endpoint: 'http://no.test/files', server: 2, headers: undefined },
    ])
    expect(search.directory.stores().map(({ id }) => id)).toEqual(['s1', 's2'])
    search.end()
  }
})

test('the primary is not kept waiting by a choice of mirrors that never comes', async () => {
  const { search, primary, clock } = searching({ mirrors: () => new Promise(() => {}) })
  primary.onProbe = () => answer('s0')
  search.lookForMirrors(FILE)
  expect(await clock.settle(search.findHome(NOTHING_KNOWN))).toBe('s0')
})

test('a choice of mirrors that throws is a warning, and the file goes to the primary alone', async () => {
  for (const mirrors of [
    () => {
      throw new Error('no such country')
    },
    () => Promise.reject(new Error('no such country')),
  ]) {
    const { clock, search, warnings, ports, failures } = searching({ mirrors })
    search.lookForMirrors(FILE)
    await clock.run(10)
    expect([warnings(), ports, failures]).toEqual([['mirrors-failed'], [], []])
  }
})

test.each([
  ['eu.test', 'mirrors must be a list of URLs or { endpoint, headers }, not "eu.test"'],
  [undefined, 'mirrors must be a list of URLs or { endpoint, headers }, not undefined'],
  [['eu.test'], 'mirrors: "eu.test" is no http or https URL'],
  [[ENDPOINT], 'mirrors lists the primary'],
])('a choice of mirrors that is %j fails the upload, quoted', async (given, message) => {
  // what an application in JavaScript may answer
  const mirrors = (() => given) as unknown as () => string[]
  const { clock, search, failures } = searching({ mirrors })
  search.lookForMirrors(FILE)
  await clock.run(10)
  expect(failures).toMatchObject([{ code: 'bad-option', message: expect.stringContaining(message) }])
})

test('a choice of mirrors that comes after the end connects to nobody', async () => {
  const { clock, search, ports, failures, warnings, stop } = searching({
    mirrors: async () => ['http://eu.test/files'],
  })
  search.lookForMirrors(FILE)
  stop.abort()
  await clock.run(10)
  expect([ports, failures, warnings()]).toEqual([[], [], []])
})

test('a primary that is away for long: its mirrors are the upload’s servers only where the file may be committed there', async () => {
  for (const [commitAt, home] of [
    ['any', 's1'],
    ['primary', 'unreachable'],
  ] as const) {
    const { clock, search, primary, warnings } = searching({ commitAt, mirrors: ['http://eu.test/files'] })
    primary.onProbe = away
    search.lookForMirrors(FILE)
    const found = search.findHome(NOTHING_KNOWN).catch((error: { code: string }) => error.code)
    await clock.run(60_000)
    expect(await found).toBe(home)
    expect(warnings().includes('home-elsewhere')).toBe(commitAt === 'any')
    search.end()
  }
})

test('a primary whose own way is out is found by another address of this machine, and asked by its own until that is back', async () => {
  const mirrors = [{ endpoint: ENDPOINT, localAddress: '10.0.0.7' }]
  const { clock, search, primary, warnings } = searching({ mirrors })
  primary.onProbe = away
  search.lookForMirrors(FILE)
  const found = search.findHome(NOTHING_KNOWN)
  await clock.run(10)
  expect(await found).toBe('s1')
  expect(warnings()).toEqual(['unreachable'])
  await clock.run(600_000)
  primary.onProbe = () => answer('s1')
  await clock.run(60_000)
  expect(search.directory.get('s1')).toMatchObject({ server: 0, route: { port: primary } })
  search.end()
})

test('a primary that is silent is found by another address of the store that it led to before, and no other', async () => {
  for (const [before, home] of [
    ['s1', 's1'],
    ['s9', 'unreachable'],
  ] as const) {
    const { clock, search, primary, warnings, stores } = searching({ mirrors: ['http://eu.test/files'] })
    await stores.note(ENDPOINT, before)
    primary.onProbe = away
    search.lookForMirrors(FILE)
    const found = search.findHome(NOTHING_KNOWN).catch((error: { code: string }) => error.code)
    if (home === 's1') await clock.run(10)
    else await clock.run(60_000)
    expect(await found).toBe(home)
    expect(warnings()).toEqual(['unreachable'])
    search.end()
  }
})

test('a primary that answers is what it says, whatever it led to before', async () => {
  const { clock, search, primary, stores } = searching({ mirrors: ['http://eu.test/files'] })
  await stores.note(ENDPOINT, 's1')
  primary.onProbe = async () => {
    await pause(clock, 3_000, new AbortController().signal)
    return answer('s0')
  }
  search.lookForMirrors(FILE)
  expect(await clock.settle(search.findHome(NOTHING_KNOWN))).toBe('s0')
  expect(await stores.storeOf(ENDPOINT)).toBe('s0')
  search.end()
})

test('an upload that goes on knows its home, though the primary is away', async () => {
  const { clock, search, primary } = searching({ mirrors: ['http://eu.test/files'] })
  primary.onProbe = away
  search.lookForMirrors(FILE)
  const begun = { kind: 'group', group: 'g', homeId: 'the-home' } as const
  const state = { version: 2, startedAt: 0, sizeBytes: 9, mark: '' } as const
  const file = { sizeBytes: 9, modifiedAt: undefined, mark: '' }
  const found = search.findHome(Promise.resolve({ entry: { ...begun, ...state }, file }))
  await clock.run(60_000)
  expect(await found).toBe('the-home')
  search.end()
})

test('a server that was set up anew since it was asked is asked again, and gets the file', async () => {
  const world = new UploadWorld()
  await world.known.ask(world.home.endpoint, async () => answer('what-it-was'), new AbortController().signal)
  await world.clock.settle(world.engine.start())
  world.expectWhole()
  const codes = world.events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  expect(codes).toEqual(['asked-again'])
  await world.expectQuiet()
})

test('a server that refuses the file is not asked twice, unless it was remembered for something', async () => {
  const world = new UploadWorld()
  world.home.refusesWith = 403
  const outcome = await world.clock.settle(outcomeOf(world.engine.start()))
  expect(outcome).toBe('refused')
  expect(world.events.some((event) => event.type === 'warning' && event.code === 'asked-again')).toBe(false)
})
