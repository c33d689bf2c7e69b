import type { Clock } from '../ports.js'

/** So long other work may wait: a sixth of what a user notices (50 ms), since a slow device takes six times as long. */
export const LONGEST_TASK_MS = 8

/** Does one step after another, and lets other work in where they take long together; stops after that when `isOver`. */
export async function inShortTasks(
  clock: Pick<Clock, 'now' | 'breathe'>,
  steps: Iterable<() => void>,
  isOver: () => boolean,
): Promise<void> {
  let sinceMs = clock.now()
  for (const step of steps) {
    step()
    if (clock.now() - sinceMs < LONGEST_TASK_MS) continue
    await clock.breathe()
    if (isOver()) return
    sinceMs = clock.now()
  }
}
