import type { ServerLogLine } from './servers.js'

/** The sessions that servers ended before they were complete, as their logs say: one by one, or with their group. */
export function stoppedSessions(lines: readonly Pick<ServerLogLine, 'msg' | 'session' | 'unfinished'>[]): Set<string> {
  return new Set(
    lines.flatMap(({ msg, session, unfinished }) => {
      if (session !== undefined) return /superseded|terminated|dropped/.test(msg) ? [session] : []
      return unfinished ?? []
    }),
  )
}
