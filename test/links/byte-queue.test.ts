import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteQueue } from '../support/links/byte-queue.js'
import { QueueRoom } from '../support/links/queue-room.js'

test('bytes come out as they went in, however they are cut', () => {
  const step = fc.oneof(
    fc.record({ push: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
    fc.record({ take: fc.nat(60) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (all) => {
      const queue = new ByteQueue()
      const pushed: number[] = []
      const taken: number[] = []
      for (const one of all) {
        if ('push' in one) {
          queue.push(Buffer.from(one.push))
          pushed.push(...one.push)
        } else for (const piece of queue.take(one.take)) taken.push(...piece)
        expect(queue.length).toBe(pushed.length - taken.length)
      }
      expect(taken).toEqual(pushed.slice(0, taken.length))
    }),
  )
})

test('the room is shared by those that queue, and an empty queue may always read', () => {
  const room = new QueueRoom(10_000)
  room.changed(0, 9000)
  expect(room.hasRoom(9000)).toBe(true)
  room.changed(0, 900)
  expect(room.hasRoom(9000)).toBe(false)
  expect(room.hasRoom(900)).toBe(true)
  room.changed(900, 1100)
  expect(room.hasRoom(1100)).toBe(false)
  expect(room.hasRoom(0)).toBe(true)
  room.changed(9000, 0)
  expect(room.hasRoom(1100)).toBe(true)
  expect(room.maxQueuedBytes).toBe(10_100)
})
