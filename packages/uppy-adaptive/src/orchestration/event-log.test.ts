import { expect, test, vi } from 'vitest'
import { EventLog, type LoggedEvent } from './event-log.js'

function create(onListenerError: (error: unknown) => void = () => {}) {
  let elapsedMs = 0
  return new EventLog(() => {
    elapsedMs += 10
    return { at: 1_700_000_000_000 + elapsedMs, elapsedMs }
  }, onListenerError)
}

test('an event is kept with the time at which it was logged', () => {
  const log = create()
  log.emit({ type: 'paused' })
  log.emit({ type: 'localPause', gapMs: 7 })
  expect(log.events()).toEqual([
    { type: 'paused', at: 1_700_000_000_010, elapsedMs: 10 },
    { type: 'localPause', gapMs: 7, at: 1_700_000_000_020, elapsedMs: 20 },
  ])
})

test('everybody who listens hears every event, in order, until they stop', () => {
  const log = create()
  const [a, b] = [vi.fn<(event: LoggedEvent) => void>(), vi.fn<(event: LoggedEvent) => void>()]
  log.emit({ type: 'committing' })
  const stop = log.subscribe(a)
  log.subscribe(b)
  log.emit({ type: 'paused' })
  stop()
  log.emit({ type: 'resumed' })
  expect(a.mock.calls.map(([{ type }]) => type)).toEqual(['paused'])
  expect(b.mock.calls.map(([{ type }]) => type)).toEqual(['paused', 'resumed'])
  expect(b.mock.calls.map(([event]) => event)).toEqual(log.events().slice(1))
})

test('a listener that throws stops neither the upload nor the others, and its error stays visible', () => {
  const shown: unknown[] = []
  const log = create((error) => shown.push(error))
  const heard = vi.fn()
  log.subscribe(() => {
    throw new Error('the application failed')
  })
  log.subscribe(heard)
  log.emit({ type: 'paused' })
  expect(heard).toHaveBeenCalledOnce()
  expect(shown).toEqual([new Error('the application failed')])
})

test('a listener may stop itself while it is called', () => {
  const log = create()
  const heard = vi.fn()
  const stop = log.subscribe(() => stop())
  log.subscribe(heard)
  log.emit({ type: 'paused' })
  log.emit({ type: 'resumed' })
  expect(heard).toHaveBeenCalledTimes(2)
})

test('the last ten thousand events are kept, the oldest go', () => {
  const log = create()
  for (let gapMs = 0; gapMs < 10_005; gapMs++) log.emit({ type: 'localPause', gapMs })
  expect(log.events()).toHaveLength(10_000)
  expect(log.events()[0]).toMatchObject({ gapMs: 5 })
  expect(log.events().at(-1)).toMatchObject({ gapMs: 10_004 })
})

test('as text, each event is one line of JSON', () => {
  const log = create()
  expect(log.toNdjson()).toBe('')
  log.emit({ type: 'warning', code: 'odd', message: 'two\nlines' })
  log.emit({ type: 'paused' })
  const text = log.toNdjson()
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(log.events())
})
