import { expect, test } from 'vitest'
import { BodyCaution } from './body-caution.js'

const KIB = 1024
const MIB = 1024 * KIB

function afterLoss(): BodyCaution {
  const caution = new BodyCaution()
  caution.lost()
  return caution
}

test('bodies are as large as they may be until nothing is kept of one; then they are small, and smaller with each', () => {
  const caution = new BodyCaution()
  expect(caution.mostBytes).toBe(Number.POSITIVE_INFINITY)
  const sizes = Array.from({ length: 4 }, () => {
    caution.lost()
    return caution.mostBytes
  })
  expect(sizes).toEqual([MIB, 256 * KIB, 64 * KIB, 64 * KIB])
})

test('what arrives soon may be twice as large next time; what takes long, or is smaller, changes nothing', () => {
  const caution = afterLoss()
  caution.arrived(MIB, 1_000)
  expect(caution.mostBytes).toBe(2 * MIB)
  caution.arrived(2 * MIB, 1_001)
  caution.arrived(100, 1)
  expect(caution.mostBytes).toBe(2 * MIB)
})

test('a part that is acknowledged shows that bodies are passed on as they come', () => {
  const caution = afterLoss()
  caution.passedOn()
  expect(caution.mostBytes).toBe(Number.POSITIVE_INFINITY)
})
