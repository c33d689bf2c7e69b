import { expect, test } from 'vitest'
import { inShortTasks } from './short-tasks.js'

/** Steps that take so many milliseconds each; what was done, with `|` where others had their turn. */
async function run(stepsMs: readonly number[], isOver: (nowMs: number) => boolean = () => false): Promise<string> {
  let nowMs = 0
  let done = ''
  const clock = {
    now: () => nowMs,
    breathe: async () => {
      done += '|'
    },
  }
  const steps = stepsMs.map((ms) => () => {
    nowMs += ms
    done += ms
  })
  await inShortTasks(clock, steps, () => isOver(nowMs))
  return done
}

test('steps that take no time are one task', async () => {
  expect(await run([0, 1, 2, 1, 0, 3])).toBe('012103')
})

test('other work has its turn when steps have taken eight milliseconds together, and then again', async () => {
  expect(await run([5, 4, 1, 9, 2, 2])).toBe('54|19|22')
})

test('what is over while others had their turn is not gone on with', async () => {
  expect(await run([5, 4, 1, 9, 2, 2], (nowMs) => nowMs > 10)).toBe('54|19|')
})

test('steps are made one by one, as those before have left things', async () => {
  let isLast = false
  function* steps(): Generator<() => void> {
    yield () => {
      isLast = true
    }
    if (!isLast) throw new Error('asked for too soon')
  }
  const clock = { now: () => 0, breathe: async () => {} }
  await expect(inShortTasks(clock, steps(), () => false)).resolves.toBeUndefined()
})
