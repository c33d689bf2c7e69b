import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Flow, Shaper } from '../support/links/shaper.js'
import { TokenBucket } from '../support/links/token-bucket.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const bucketOf = (bytesPerSecond: number) => new TokenBucket([{ atMs: 0, bytesPerSecond }], performance.now())

/** A flow that always has bytes, or the given number of them. */
function createFlow(
  buckets: TokenBucket[],
  queuedBytes = Number.MAX_SAFE_INTEGER,
  firstArrival = 1,
): Flow & { leftBytes: number; isAble: boolean } {
  return {
    leftBytes: 0,
    queuedBytes,
    buckets,
    isAble: true,
    heldUntilMs: 0,
    firstArrival,
    depart(bytes: number) {
      this.leftBytes += bytes
      Object.assign(this, { queuedBytes: this.queuedBytes - bytes })
    },
    wake() {},
  }
}

function start(shaper: Shaper, flows: Flow[]): void {
  for (const flow of flows) shaper.add(flow)
  shaper.poke()
}

test.each([62_500, 1_250_000, 12_500_000])('%d bytes per second are kept', (rate) => {
  const bottleneck = bucketOf(rate)
  const flow = createFlow([bottleneck])
  start(new Shaper(bottleneck), [flow])
  vi.advanceTimersByTime(100)
  const before = flow.leftBytes
  vi.advanceTimersByTime(4000)
  expect(Math.abs((flow.leftBytes - before) / (4 * rate) - 1)).toBeLessThan(0.01)
})

test('flows of different links share the bottleneck equally, and what a slow link leaves goes to the others', () => {
  const bottleneck = bucketOf(1_000_000)
  const fast = createFlow([bucketOf(50_000_000), bottleneck])
  const middling = createFlow([bucketOf(600_000), bottleneck])
  const slow = createFlow([bucketOf(100_000), bottleneck])
  start(new Shaper(bottleneck), [fast, middling, slow])
  vi.advanceTimersByTime(5000)
  const shares = [fast, middling, slow].map((flow) => Math.round(flow.leftBytes / 50_000))
  expect(shares).toEqual([45, 45, 10])
})

test('a flow that cannot leaves its share to the others, and gets it back', () => {
  const bottleneck = bucketOf(1_000_000)
  const flows = [createFlow([bottleneck]), createFlow([bottleneck])] as const
  const shaper = new Shaper(bottleneck)
  flows[1].isAble = false
  start(shaper, [...flows])
  vi.advanceTimersByTime(1000)
  expect(flows.map((flow) => Math.round(flow.leftBytes / 100_000))).toEqual([10, 0])
  flows[1].isAble = true
  shaper.poke()
  vi.advanceTimersByTime(1000)
  expect(flows.map((flow) => Math.round(flow.leftBytes / 100_000))).toEqual([15, 5])
})

test('first in, first out: what is small waits behind what came before it, but for nobody who cannot leave', () => {
  const bottleneck = bucketOf(10_000)
  const shaper = new Shaper(bottleneck, 'fifo')
  const [body, question] = [createFlow([bottleneck], 24_000, 1), createFlow([bottleneck], 100, 2)] as const
  start(shaper, [question, body])
  vi.advanceTimersByTime(1_900)
  expect([body.leftBytes > 20_000, question.leftBytes]).toEqual([true, 0])
  vi.advanceTimersByTime(200)
  expect([body.leftBytes, question.leftBytes]).toEqual([24_000, 100])
  const [held, later] = [createFlow([bottleneck], 24_000, 3), createFlow([bottleneck], 100, 4)] as const
  held.isAble = false
  start(shaper, [held, later])
  vi.advanceTimersByTime(100)
  expect(later.leftBytes).toBe(100)
  expect(vi.getTimerCount()).toBe(0)
})

test('no timer runs when nothing waits, when nothing can leave, or during an outage without end', () => {
  const bottleneck = bucketOf(100_000)
  const shaper = new Shaper(bottleneck)
  const flow = createFlow([bottleneck], 50_000)
  start(shaper, [flow])
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(1000)
  expect(flow.leftBytes).toBe(50_000)
  expect(vi.getTimerCount()).toBe(0)

  const waiting = createFlow([bottleneck], 50_000)
  start(shaper, [waiting])
  expect(vi.getTimerCount()).toBe(1)
  bottleneck.setSchedule([{ atMs: 0, bytesPerSecond: 0 }], performance.now())
  shaper.poke()
  expect(vi.getTimerCount()).toBe(0)

  bottleneck.setSchedule([{ atMs: 0, bytesPerSecond: 100_000 }], performance.now())
  shaper.poke()
  expect(vi.getTimerCount()).toBe(1)
  shaper.remove(flow)
  shaper.remove(waiting)
  expect(vi.getTimerCount()).toBe(0)
})

test('a timer that fires late costs no bytes', () => {
  let sleptMs = 0
  const now = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + sleptMs)
  const bottleneck = bucketOf(1_000_000)
  const flow = createFlow([bottleneck])
  start(new Shaper(bottleneck), [flow])
  for (let round = 0; round < 20; round += 1) {
    // the process gets no CPU for 100 ms, then runs for 100 ms
    sleptMs += 100
    vi.advanceTimersByTime(100)
  }
  clock.mockRestore()
  expect(flow.leftBytes).toBeGreaterThan(3_950_000)
  expect(flow.leftBytes).toBeLessThan(4_050_000)
})
