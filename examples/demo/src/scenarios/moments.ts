import { draw, type Stage } from './stage.js'

type Random = Pick<Stage, 'random'>

/** Shares of the file, and ms. Drawn in one go, so that a seed always means the same. */
export interface DegradeMoments {
  readonly slowAt: number
  readonly backAt: number
  /** With one server: nobody else brings the share on, so the path comes back after a time. */
  readonly backAfterMs: number
  /** Among the mirrors that could be stalled: 0 the first, 1 the last. */
  readonly pick: number
}

export function drawDegrade(random: Random): DegradeMoments {
  return {
    slowAt: draw(random, 0.25, 0.4),
    backAt: draw(random, 0.6, 0.7),
    backAfterMs: draw(random, 4_000, 8_000),
    pick: random.random(),
  }
}

export function drawBlackout(random: Random): { readonly at: number } {
  return { at: draw(random, 0.2, 0.5) }
}

export function drawKill(random: Random): { readonly at: number; readonly downMs: number } {
  return { at: draw(random, 0.2, 0.5), downMs: draw(random, 2_000, 4_000) }
}

/** One or two outages of the user's own line. */
export function drawOutages(random: Random): readonly { readonly at: number; readonly lastsMs: number }[] {
  const isTwice = random.random() < 0.5
  const first = { at: draw(random, 0.2, isTwice ? 0.35 : 0.6), lastsMs: draw(random, 3_000, 8_000) }
  const second = { at: draw(random, 0.45, 0.6), lastsMs: draw(random, 3_000, 8_000) }
  return isTwice ? [first, second] : [first]
}
