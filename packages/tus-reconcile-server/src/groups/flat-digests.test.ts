import { createHash, randomBytes } from 'node:crypto'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, onTestFinished, test } from 'vitest'
import { groupAlone } from '../testing/groups.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { BackgroundPace } from './background-pace.js'
import { FlatDigests } from './flat-digests.js'

const COUNT = 40
const BYTES = randomBytes(COUNT * BLOCK_SIZE)

/** A group whose file holds all bytes, of which `verify` says how far they are verified. */
async function setUp(isBusy: () => boolean = () => false) {
  const pace = new BackgroundPace(isBusy)
  onTestFinished(() => pace.close())
  const digests = new FlatDigests(pace)
  const backend = new MemoryBackend()
  let reads = 0
  const files = {
    open: (name: string) => {
      const file = backend.open(name)
      const read = file.read.bind(file)
      file.read = (position, length) => {
        reads++
        return read(position, length)
      }
      return file
    },
    openSide: (name: string) => backend.openSide(name),
  }
  const group = groupAlone({ size: BYTES.length }, { files })
  await group.file.write(0, BYTES)
  const verify = (from: number, to: number): void => {
    for (let index = from; index < to; index++) group.blocks.replaced(index, 'leaf', 'peer')
    digests.hear({ kind: 'verified', group, blocks: [from], where: 'here' })
  }
  const untilRead = async (count: number): Promise<void> => {
    while (reads < count) await new Promise((resolve) => setImmediate(resolve))
  }
  return { digests, group, verify, untilRead, reads: () => reads }
}

test('it grows with the verified beginning, each block read once, and the rest is waited for when it is short', async () => {
  const { digests, group, verify, untilRead, reads } = await setUp()
  digests.hear({ kind: 'groupOpened', group })
  verify(0, 20)
  await untilRead(20)
  verify(20, 30)
  await untilRead(30)
  verify(30, COUNT)
  expect(await digests.take(group)).toBe(createHash('sha256').update(BYTES).digest('base64'))
  expect(reads()).toBe(COUNT)
})

test('it waits while the server is busy', async () => {
  const readsAtLooks: number[] = []
  const { digests, group, verify, untilRead, reads } = await setUp(() => {
    readsAtLooks.push(reads())
    return readsAtLooks.length <= 3
  })
  digests.hear({ kind: 'groupOpened', group })
  verify(0, 20)
  await untilRead(2)
  expect(readsAtLooks.slice(0, 4)).toEqual([1, 1, 1, 1])
})

test('a commit does not wait for one that is far behind', async () => {
  const { digests, group, verify, reads } = await setUp()
  digests.hear({ kind: 'groupOpened', group })
  verify(1, COUNT)
  group.blocks.replaced(0, 'leaf', 'peer')
  expect(await digests.take(group)).toBeNull()
  expect(reads()).toBeLessThan(2)
})

test('an upload from before this process has none: its beginning is not read again', async () => {
  const { digests, group, verify, reads } = await setUp()
  verify(0, COUNT)
  expect([await digests.take(group), reads()]).toEqual([null, 0])
})
