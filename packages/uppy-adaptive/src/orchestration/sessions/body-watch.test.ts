import { expect, test } from 'vitest'
import type { BodyHosts } from '../kept/body-limits.js'
import { BodyLimits } from '../kept/body-limits.js'
import type { AttemptOutcome } from '../ports.js'
import { BodyWatch } from './body-watch.js'

const HOST = 'https://up.example.com/files'
const MIB = 1024 * 1024
const ENDED: AttemptOutcome = { kind: 'aborted' }
const VANISHED: AttemptOutcome = {
  ...{ kind: 'cut', fault: 'status 0' },
  cause: new Error('status 0'),
}
const TAKEN: AttemptOutcome = { kind: 'accepted', offset: 0, url: `${HOST}/x` }

function watch() {
  const limits = new BodyLimits({ clock: { epochMs: () => 0 }, storage: undefined })
  const bodies = new BodyWatch(limits)
  const usual = { endpoint: HOST, bytes: 30 * MIB, handedOver: 0, heard: 0, durationMs: 5_000 }
  return {
    largest: (announced?: number) => limits.largest(HOST, announced),
    body: (outcome: AttemptOutcome, o: { bytes?: number; handedOver?: number; heard?: number; durationMs?: number }) =>
      bodies.note({ ...usual, outcome, look: false, progressed: outcome === TAKEN, ...o }),
    look: (progressed: boolean) => bodies.note({ ...usual, outcome: TAKEN, look: true, progressed }),
  }
}

test('after one body that we ended, of which nothing was kept, bodies are small, whatever the server announces', () => {
  const { largest, body, look } = watch()
  body(ENDED, { handedOver: 2 * MIB })
  expect(largest()).toBe(Number.POSITIVE_INFINITY)
  look(false)
  expect([largest(), largest(64 * MIB)]).toEqual([MIB, MIB])
})

test('one of which a part was kept, or of which hardly anything had left, says nothing', () => {
  const { largest, body, look } = watch()
  body(ENDED, { handedOver: 2 * MIB })
  look(true)
  body(ENDED, { handedOver: MIB - 1 })
  look(false)
  expect(largest()).toBe(Number.POSITIVE_INFINITY)
})

test('a small body says something when it was handed over whole', () => {
  const { largest, body, look } = watch()
  body(ENDED, { handedOver: 2 * MIB })
  look(false)
  body(ENDED, { handedOver: MIB / 2, bytes: MIB / 2 })
  look(false)
  expect(largest()).toBe(MIB / 4)
})

test('what arrives soon lets the next be larger; a part that is acknowledged before its end, as large as ever', () => {
  const { largest, body, look } = watch()
  body(ENDED, { handedOver: 2 * MIB })
  look(false)
  body(TAKEN, { bytes: MIB, heard: MIB, durationMs: 300 })
  expect(largest()).toBe(2 * MIB)
  body(TAKEN, { bytes: 2 * MIB, heard: 0, durationMs: 1_500 })
  expect(largest()).toBe(2 * MIB)
  body(TAKEN, { bytes: 2 * MIB, heard: MIB, durationMs: 1_500 })
  expect(largest()).toBe(Number.POSITIVE_INFINITY)
})

/** Two sessions' bodies to one host, perhaps of two uploads. */
function two() {
  const hosts: BodyHosts = new Map()
  const limits = () => new BodyLimits({ clock: { epochMs: () => 0 }, storage: undefined, hosts })
  const [first, second] = [new BodyWatch(limits()), new BodyWatch(limits())]
  const sent = { endpoint: HOST, bytes: 30 * MIB, handedOver: 0, heard: 0, durationMs: 5_000, look: false }
  first.sends(HOST, sent.bytes)
  return { first, second, sent, largest: () => second.largest(HOST, undefined) }
}

test('while the first large body to a host is on its way, other uploads send small ones there', () => {
  const { first, second, sent, largest } = two()
  expect([largest(), first.largest(HOST, undefined)]).toEqual([MIB, Number.POSITIVE_INFINITY])
  // a small one shows nothing
  second.sends(HOST, MIB)
  second.heard()
  expect(largest()).toBe(MIB)
  first.note({ ...sent, outcome: TAKEN, progressed: true })
  expect(largest()).toBe(Number.POSITIVE_INFINITY)
})

test('a part of it that is acknowledged lets others send large ones at once', () => {
  const { first, largest } = two()
  first.heard()
  expect(largest()).toBe(Number.POSITIVE_INFINITY)
})

test('when it vanishes, nobody sends as large a one', () => {
  const { first, sent, largest } = two()
  first.note({ ...sent, outcome: VANISHED, progressed: false })
  // not known yet: the look-up is to say
  expect(largest()).toBe(MIB)
  first.note({ ...sent, look: true, outcome: TAKEN, progressed: false })
  first.leave()
  expect(largest()).toBe(MIB)
})

test('when it ends without a word, another may be the first', () => {
  const { first, second, sent, largest } = two()
  first.leave()
  expect(largest()).toBe(Number.POSITIVE_INFINITY)
  second.sends(HOST, sent.bytes)
  expect(first.largest(HOST, undefined)).toBe(MIB)
})
