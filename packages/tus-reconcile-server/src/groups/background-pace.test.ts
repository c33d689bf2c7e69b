import { expect, test } from 'vitest'
import { BackgroundPace } from './background-pace.js'

test('a step is followed by a pause of its kind, and by as many more as the server is busy', async () => {
  let busyLooks = 3
  const pace = new BackgroundPace(() => busyLooks-- > 0)
  expect(await pace.step(async () => 'done')).toBe('done')
  expect(busyLooks).toBe(-1)
})

test('once closed nothing is begun, and what waits for a busy server ends', async () => {
  const pace = new BackgroundPace(() => {
    pace.close()
    return true
  })
  expect(await pace.step(async () => 'done')).toBeUndefined()
  let began = false
  await pace.step(async () => {
    began = true
  })
  expect(began).toBe(false)
})
