import { expect, test, vi } from 'vitest'
import { MemorySource } from '../../testing/memory-source.js'
import { takeBody } from './request-body.js'

const RANGE = { start: 0, end: 5 }

test('the source’s bytes are given, and its failure is', async () => {
  const source = new MemorySource(10)
  const { signal } = new AbortController()
  expect(await takeBody(source, RANGE, signal)).toEqual(source.bytes.subarray(0, 5))
  source.body = () => {
    throw new Error('unreadable')
  }
  await expect(takeBody(source, RANGE, signal)).rejects.toThrow('unreadable')
})

test('a stop does not wait for a source that takes its time, and what that opens then is closed', async () => {
  const source = new MemorySource(10)
  let give = (_body: unknown) => {}
  const opened: Promise<Uint8Array> = new Promise<unknown>((resolve) => (give = resolve)) as never
  Object.assign(source, { body: () => opened })
  const stop = new AbortController()
  const taken = takeBody(source, RANGE, stop.signal)
  stop.abort()
  expect(await taken).toBeUndefined()
  const stream = { destroy: vi.fn<() => void>() }
  give(stream)
  await vi.waitFor(() => expect(stream.destroy).toHaveBeenCalledOnce())
})

test('nothing is asked of the source after a stop', async () => {
  const source = new MemorySource(10)
  const asked = vi.spyOn(source, 'body')
  expect(await takeBody(source, RANGE, AbortSignal.abort())).toBeUndefined()
  expect(asked).not.toHaveBeenCalled()
})
