import { readLog, replay } from 'upload-predictor'
import { expect } from 'vitest'

/** The log has four digits. */
const ROUNDING = 1e-3

/** A fresh model that is told this log says of every session in flight, at every tick, what the engine's own said. */
export function expectReplayed(ndjson: string): void {
  const { report, events } = readLog({ name: 'replayed', text: ndjson, sha256: '' })
  expect(report).toMatchObject({ refused: [], missing: 0 })
  const replayed = replay(events)
  expect(replayed.left).toBe(0)
  const differing = events.flatMap((event, i) => {
    const again = replayed.events[i]
    if (event.type !== 'sample' || again?.type !== 'sample') return []
    const told = { link: event.link, sessions: event.sessions.map((of) => of.assessment) }
    const retold = { link: again.link, sessions: again.sessions.map((of) => of.assessment) }
    const where = differenceOf(told, retold)
    return where === undefined ? [] : [`${event.elapsedMs} ms: ${where}`]
  })
  expect(differing).toEqual([])
}

/** Where two trees of values differ by more than rounding. */
function differenceOf(a: unknown, b: unknown, path = ''): string | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const isClose = Math.abs(a - b) <= ROUNDING * Math.max(Math.abs(a), Math.abs(b)) + 1e-9
    return isClose ? undefined : `${path} ${a} ${b}`
  }
  if (!isTree(a) || !isTree(b)) return a === b ? undefined : `${path} ${String(a)} ${String(b)}`
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].map((key) => differenceOf(a[key], b[key], `${path}.${key}`)).find((where) => where !== undefined)
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
