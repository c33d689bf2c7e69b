import { expect, test } from 'vitest'
import { log10NormalTail } from './normal-tail.js'

/** Simpson's rule on the density, for z where the tail does not underflow. */
function integrated(z: number): number {
  const steps = 20_000
  const width = 12 / steps
  let sum = 0
  for (let n = 0; n <= steps; n++) {
    const x = z + n * width
    sum += (n === 0 || n === steps ? 1 : n % 2 === 0 ? 2 : 4) * Math.exp((-x * x) / 2)
  }
  return (sum * width) / 3 / Math.sqrt(2 * Math.PI)
}

test('it agrees with numerical integration', () => {
  for (const z of [-4, -1.3, -0.2, 0, 0.5, 1, 2.326, 4, 6.5, 8]) {
    expect(log10NormalTail(z)).toBeCloseTo(Math.log10(integrated(z)), 5)
  }
})

test('far out it follows the asymptotic expansion and stays finite', () => {
  for (const z of [30, 50, 1000]) {
    const expected = -(z * z) / 2 - Math.log(z * Math.sqrt(2 * Math.PI)) + Math.log(1 - 1 / z ** 2 + 3 / z ** 4)
    expect(log10NormalTail(z) * Math.LN10).toBeCloseTo(expected, 4)
  }
})
