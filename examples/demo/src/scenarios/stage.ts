import type { ScriptLog } from '../script-log.js'
import { pollUntil } from '../waiting.js'
import type { World } from '../world.js'

/** How often a script looks at the counters; 1/1000 of twenty seconds. */
const LOOK_MS = 20
const FOREVER_MS = Number.POSITIVE_INFINITY

/** What a script sees and does: links and server processes from outside, never the page. */
export interface Stage {
  readonly world: World
  readonly log: ScriptLog
  /** A number from 0 to 1, the same for the same seed. */
  readonly random: () => number
  /** Fires when the upload has ended. */
  readonly signal: AbortSignal
}

/** A number between `least` and `most`, drawn from the seed. */
export function draw({ random }: Pick<Stage, 'random'>, least: number, most: number): number {
  return least + (most - least) * random()
}

/** Share of the file that has left the links, from 0 to 1; bytes sent twice count twice, at most to 1. */
export function shareSent({ world }: Pick<Stage, 'world'>): number {
  const size = world.wire.ranges?.sizeBytes
  if (size === undefined) return 0
  const sent = world.servers.reduce((sum, server) => sum + server.link.counters.bodyBytesUp, 0)
  return Math.min(1, sent / size)
}

/** @throws the signal's reason when the upload ends first */
export async function untilShare(stage: Stage, share: number): Promise<void> {
  await pollUntil(() => shareSent(stage) >= share, { everyMs: LOOK_MS, limitMs: FOREVER_MS, signal: stage.signal })
}

/** Until `ask` answers with something, asked at every change on the wire. @throws the signal's reason */
export async function untilWire<T>(stage: Stage, ask: () => T | undefined): Promise<T> {
  let found: T | undefined
  await pollUntil(
    () => {
      found = ask()
      return found !== undefined
    },
    { everyMs: LOOK_MS, limitMs: FOREVER_MS, signal: stage.signal },
  )
  if (found === undefined) throw new Error('the poll ended without an answer')
  return found
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
