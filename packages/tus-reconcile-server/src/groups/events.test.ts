import { expect, test } from 'vitest'
import { EventHub, type EventSink } from './events.js'

const sinkOf = (send: (text: string) => void): EventSink => ({ send, replaced: () => {} })
const event = (offset: number) => ({ type: 'offset', group: 'g', session: 's', offset }) as const

test('a client is told what came after its last id, then what comes', () => {
  const hub = new EventHub('epoch')
  for (let n = 1; n <= 3; n++) hub.publish(['c'], event(n))
  const told: string[] = []
  const stop = hub.subscribe(
    'c',
    'epoch-1',
    sinkOf((text) => told.push(text)),
  )
  hub.publish(['c', 'other'], event(4))
  stop()
  hub.publish(['c'], event(5))
  expect(told.join('').match(/^id: .*$/gm)).toEqual(['id: epoch-2', 'id: epoch-3', 'id: epoch-4'])
})

test('another epoch, or an id that is kept no more, is a reset with the id to go on from', () => {
  const hub = new EventHub('epoch')
  for (let n = 1; n <= 1500; n++) hub.publish(['c'], event(n))
  const told = (id: string) => {
    const texts: string[] = []
    hub.subscribe(
      'c',
      id,
      sinkOf((text) => texts.push(text)),
    )()
    return texts.join('')
  }
  expect(told('epoch-499')).toBe('id: epoch-1500\ndata: {"type":"reset"}\n\n')
  expect(told('epoch-500').match(/^id/gm)?.length).toBe(1000)
  expect(told('epoch-1500')).toBe('')
  expect(told('epoch-1501')).toContain('reset')
  expect(told('other-1500')).toContain('reset')
  expect(told('nonsense')).toContain('reset')
})

test("beyond a client's streams the oldest is told that it was replaced, and gets nothing more", () => {
  const hub = new EventHub('epoch', 2)
  const told: string[] = []
  for (const name of ['first', 'second', 'third']) {
    hub.subscribe('c', undefined, { send: () => told.push(name), replaced: () => told.push(`${name} replaced`) })
  }
  hub.publish(['c'], event(1))
  expect(told).toEqual(['first replaced', 'second', 'third'])
})

test('clients that are away are forgotten, the longest away first; those with a stream are kept', () => {
  const hub = new EventHub('epoch')
  const told: string[] = []
  hub.subscribe(
    'here',
    undefined,
    sinkOf((text) => told.push(text)),
  )
  for (let n = 0; n < 10_000; n++) hub.publish([`away-${n}`], event(n))
  expect(hub.size).toBe(4096)
  hub.publish(['here'], event(1))
  expect(told.length).toBe(1)
})

test('what is told to all goes to every stream, with the id of the event before it, and is not told again', () => {
  const hub = new EventHub('epoch')
  const told: string[] = []
  hub.subscribe(
    'c',
    undefined,
    sinkOf((text) => told.push(text)),
  )
  hub.publish(['c'], event(1))
  hub.tellAll({ type: 'load', load: 0.5 })
  hub.publish(['c'], event(2))
  expect(told.map((text) => text.split('\n')[0])).toEqual(['id: epoch-1', 'id: epoch-1', 'id: epoch-2'])
  const again: string[] = []
  hub.subscribe(
    'c',
    'epoch-0',
    sinkOf((text) => again.push(text)),
  )
  expect(again.join('')).not.toContain('load')
  expect(again.join('').match(/^id/gm)?.length).toBe(2)
})
