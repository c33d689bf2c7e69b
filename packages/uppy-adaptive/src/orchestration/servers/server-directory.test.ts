import { expect, test } from 'vitest'
import { SimulatedClock } from '../../testing/simulated-clock.js'
import { strictLog } from '../../testing/strict-log.js'
import { RouteHistory } from '../kept/route-history.js'
import type { LoggedEvent } from '../log/event-log.js'
import type { Capabilities, ServerPort } from '../ports.js'
import { ServerDirectory } from './server-directory.js'

const FIRST = 'http://first.test/files'
const SECOND = 'http://second.test/files'
const CAPABILITIES: Capabilities = { kind: 'reconcile', storeId: 'store', limit: {}, extensions: [] }

function port(endpoint: string): ServerPort {
  return { endpoint } as ServerPort
}

function directory(): { directory: ServerDirectory; events: LoggedEvent[] } {
  const { log, events } = strictLog()
  return { directory: new ServerDirectory(log), events }
}

/** A store with two addresses, the mirror's admitted first. */
function twoRoutes() {
  const { directory: stores, events } = directory()
  stores.admit(port(SECOND), 1, CAPABILITIES)
  const store = stores.admit(port(FIRST), 0, CAPABILITIES)
  const [second, first] = store?.routes ?? []
  if (!store || !first || !second) throw new Error('not admitted')
  return { stores, events, store, first, second }
}

test('a second address of a Store-Id is a route, and the primary’s own address is in use', () => {
  const { stores, store, first } = twoRoutes()
  expect(stores.stores()).toHaveLength(1)
  expect(store.server).toBe(0)
  expect(store.route).toBe(first)
})

test('the warning names both addresses, whichever answered first', () => {
  const { events } = twoRoutes()
  const messages = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  expect(messages).toHaveLength(1)
  expect(messages[0]).toContain(FIRST)
  expect(messages[0]).toContain(SECOND)
})

test('a silent route is left for the one that was heard', () => {
  const { stores, store, first, second } = twoRoutes()
  second.heardAtMs = 5
  stores.leaveRoute('store', first)
  expect(store.route).toBe(second)
})

test('a second session that leaves the same route changes nothing more', () => {
  const { stores, store, first, second } = twoRoutes()
  second.heardAtMs = 5
  stores.leaveRoute('store', first)
  first.heardAtMs = 9
  stores.leaveRoute('store', first)
  expect(store.route).toBe(second)
})

test('a route is not left for one that was never heard', () => {
  const { stores, store, first } = twoRoutes()
  stores.leaveRoute('store', first)
  expect(store.route).toBe(first)
})

test('a mirror without the extension is no store', () => {
  const { directory: stores } = directory()
  expect(stores.admit(port(SECOND), 1, { ...CAPABILITIES, kind: 'tus' })).toBeUndefined()
  expect(stores.stores()).toEqual([])
})

test('suspicion is told once and ends once', () => {
  const { directory: stores, events } = directory()
  stores.admit(port(FIRST), 0, CAPABILITIES)
  stores.suspect('store', 'silent', 1)
  stores.suspect('store', 'silent still', 2)
  expect(stores.get('store')).toMatchObject({ state: 'suspect', suspectSinceMs: 1, onProbation: true })
  stores.trust('store', 'answers again')
  stores.trust('store', 'answers again')
  const states = events.flatMap((event) => (event.type === 'server' ? [event.state] : []))
  expect(states).toEqual(['ready', 'suspect', 'returned'])
})

test('a change of route is logged with both addresses, once, and no change is not', () => {
  const { stores, events, first, second } = twoRoutes()
  const changes = () => events.filter((event) => event.type === 'route')
  stores.leaveRoute('store', first)
  stores.leaveRoute('nobody', first)
  expect(changes()).toEqual([])
  second.heardAtMs = 5
  stores.leaveRoute('store', first)
  stores.leaveRoute('store', first)
  expect(changes()).toMatchObject([{ server: 0, store: 'store', from: FIRST, endpoint: SECOND }])
})

test('a route that was left for its silence is not where the next upload begins, for five minutes', async () => {
  const clock = new SimulatedClock()
  const routes = new RouteHistory({ clock, storage: undefined, pasts: new Map() })
  const { log } = strictLog(clock)
  const begin = () => {
    const stores = new ServerDirectory(log, routes)
    stores.admit(port(SECOND), 1, CAPABILITIES)
    const store = stores.admit(port(FIRST), 0, CAPABILITIES)
    if (!store) throw new Error('not admitted')
    return { stores, store }
  }
  const { stores, store } = begin()
  const [second, first] = store.routes
  if (second) second.heardAtMs = 5
  expect(store.route.endpoint).toBe(FIRST)
  stores.leaveRoute('store', store.route)
  expect(begin().store).toMatchObject({ server: 0, route: { endpoint: SECOND } })
  await clock.run(300_000)
  const later = begin()
  expect(later.store.route.endpoint).toBe(FIRST)
  // left once more, it is avoided for longer; until bytes went by it
  const [other] = later.store.routes
  if (other) other.heardAtMs = 6
  later.stores.leaveRoute('store', later.store.route)
  await clock.run(300_000)
  expect(begin().store.route.endpoint).toBe(SECOND)
  // what is told by the other now had come before it was left
  later.stores.acquit('store', first)
  expect(begin().store.route.endpoint).toBe(SECOND)
  const back = begin()
  const [, again] = back.store.routes
  if (again) again.heardAtMs = 7
  back.stores.leaveRoute('store', back.store.route)
  back.stores.acquit('store', again)
  expect(begin().store.route.endpoint).toBe(FIRST)
})

test('who comes into suspicion again and again is left alone for ever longer, until it acknowledges a byte', () => {
  const { directory: stores, events } = directory()
  stores.admit(port(FIRST), 0, CAPABILITIES)
  const store = stores.admit(port(SECOND), 1, { ...CAPABILITIES, storeId: 'other' })
  if (!store) throw new Error('not admitted')
  const fail = (nowMs: number) => {
    stores.suspect('other', 'failed', nowMs)
    stores.trust('other', 'answers again')
  }
  const isAlone = (o: { sinceMs: number; nowMs: number }) => {
    stores.suspect('other', 'failed', o.sinceMs)
    const isQuarantined = stores.isQuarantined(store, o.nowMs)
    return isQuarantined
  }
  expect(isAlone({ sinceMs: 0, nowMs: 0 })).toBe(false)
  stores.trust('other', 'answers again')
  fail(10)
  expect(isAlone({ sinceMs: 20, nowMs: 2_019 })).toBe(true)
  expect(stores.isQuarantined(store, 2_020)).toBe(false)
  stores.acquit('other', undefined)
  expect(store.state).toBe('ready')
  expect(isAlone({ sinceMs: 30, nowMs: 30 })).toBe(false)
  const told = events.flatMap((event) => (event.type === 'server' && event.state === 'suspect' ? [event] : []))
  expect(told.map(({ quarantineMs }) => quarantineMs)).toEqual([undefined, 1_000, 2_000, undefined])
})

test('the only store at work is never left alone', () => {
  const { directory: stores } = directory()
  const store = stores.admit(port(FIRST), 0, CAPABILITIES)
  if (!store) throw new Error('not admitted')
  for (const nowMs of [1, 2, 3]) {
    stores.suspect('store', 'failed', nowMs)
    expect(stores.isQuarantined(store, nowMs)).toBe(false)
    stores.trust('store', 'answers again')
  }
})
