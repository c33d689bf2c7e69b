import type { DrawnSession } from './file-picture.js'

/** A session's place among those of its server: sessions that overlap in time lie in different rows. */
export function assignRows(sessions: readonly DrawnSession[], mostRows: number): Map<string, number> {
  const freeFromMs = new Map<number, number[]>()
  const rows = new Map<string, number>()
  for (const session of [...sessions].sort((a, b) => a.fromMs - b.fromMs)) {
    const free = freeFromMs.get(session.server) ?? []
    const found = Array.from({ length: mostRows }, (_, row) => row).find((row) => (free[row] ?? 0) <= session.fromMs)
    const row = found ?? rows.size % mostRows
    free[row] = session.untilMs ?? Number.POSITIVE_INFINITY
    freeFromMs.set(session.server, free)
    rows.set(session.id, row)
  }
  return rows
}

/** Seconds between the ticks of a time axis with about `most` of them. */
export function tickSeconds(spanMs: number, most: number): number {
  const wanted = spanMs / 1000 / most
  return [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((step) => step >= wanted) ?? 1800
}
