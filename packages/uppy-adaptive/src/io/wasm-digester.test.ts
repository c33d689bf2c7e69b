import { createHash } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import type { HashingTask } from './hashing-worker.js'
import { WasmDigester } from './wasm-digester.js'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

/** A page's workers: each does as it is told, or as the test says. */
function stubWorkers(act: (worker: FakeWorker, task: HashingTask) => void): FakeWorker[] {
  const workers: FakeWorker[] = []
  vi.stubGlobal(
    'Worker',
    class extends FakeWorker {
      constructor() {
        super(act)
        workers.push(this)
      }
    },
  )
  return workers
}

class FakeWorker {
  readonly #act: (worker: FakeWorker, task: HashingTask) => void
  onmessage: (event: { data: object }) => void = () => {}
  onerror: () => void = () => {}
  isEnded = false

  constructor(act: (worker: FakeWorker, task: HashingTask) => void) {
    this.#act = act
  }

  postMessage(task: HashingTask, transferred: readonly object[]): void {
    expect(transferred).toEqual([task.bytes.buffer])
    queueMicrotask(() => this.#act(this, task))
  }

  terminate(): void {
    this.isEnded = true
  }
}

const PIECES = [new Uint8Array(), new Uint8Array([1, 2, 3]), new Uint8Array(300_000).fill(7).subarray(5, 299_000)]

test('pieces are hashed by one worker, which gets copies of its own, and is ended when it has nothing to do', async () => {
  vi.useFakeTimers()
  const workers = stubWorkers((worker, { id, bytes }) => {
    expect(bytes.byteLength).toBe(bytes.buffer.byteLength)
    worker.onmessage({ data: { id, digest: sha256(bytes) } })
  })
  const digester = new WasmDigester()
  expect(await Promise.all(PIECES.map((piece) => digester.digest(piece)))).toEqual(PIECES.map(sha256))
  expect(workers.map(({ isEnded }) => isEnded)).toEqual([false])
  vi.advanceTimersByTime(5_000)
  expect(workers.map(({ isEnded }) => isEnded)).toEqual([true])
  await digester.digest(new Uint8Array(1))
  expect(workers).toHaveLength(2)
})

test('what a worker that fails has not answered the page hashes itself, and asks no other', async () => {
  const workers = stubWorkers((worker, { id, bytes }) => {
    if (id === 1) worker.onmessage({ data: { id, digest: sha256(bytes) } })
    else worker.onerror()
  })
  const digester = new WasmDigester()
  expect(await Promise.all(PIECES.map((piece) => digester.digest(piece)))).toEqual(PIECES.map(sha256))
  expect(await digester.digest(new Uint8Array(9))).toEqual(sha256(new Uint8Array(9)))
  expect(workers.map(({ isEnded }) => isEnded)).toEqual([true])
})

test('where there are no workers, the page has its turn before each piece', async () => {
  vi.stubGlobal('Worker', undefined)
  let turns = 0
  const others = (): void => {
    turns += 1
    waiting = setImmediate(others)
  }
  let waiting = setImmediate(others)
  const digester = new WasmDigester()
  const seen = await Promise.all(PIECES.map((piece) => digester.digest(piece).then(() => turns)))
  clearImmediate(waiting)
  const [first = 0, second = 0, third = 0] = seen
  expect([first > 0, second > first, third > second]).toEqual([true, true, true])
})
