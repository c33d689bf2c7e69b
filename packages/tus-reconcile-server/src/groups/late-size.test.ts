import { randomBytes } from 'node:crypto'
import { BLOCK_SIZE, encodeDigest } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { MemoryIndex } from '../records/memory-index.js'
import { blockDigest, newId } from '../testing/client.js'
import { factsOf } from '../testing/groups.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { replaceBlock } from './bring-in.js'
import { Groups } from './groups.js'
import type { Notice } from './notice.js'
import { agreeOnSize } from './sessions.js'

const B = BLOCK_SIZE

test.each([
  [B + 5, [0], [{ start: B, end: B + 5 }]],
  [2 * B, [0, 1], []],
])('of whole blocks only those within a size of %d that is named later stay', async (size, whole, bad) => {
  const index = new MemoryIndex()
  const groups = new Groups({ index, files: new MemoryBackend(), now: Date.now })
  const id = newId()
  const group = await groups.open(id, async () => factsOf(id))
  for (const at of [0, 1, 2]) {
    const bytes = randomBytes(B)
    const leaf = encodeDigest(blockDigest(bytes))
    expect(await group.queue.run(() => replaceBlock(group, { index: at, leaf, bytes }, 'peer'))).toBe(true)
  }
  const told = new Promise<Notice>((resolve) => {
    groups.subscribe((notice) => notice.kind === 'bad' && resolve(notice))
  })
  await group.queue.run(() => agreeOnSize(group, size))
  // no digest was wrong
  if (bad.length > 0) expect(await told).toMatchObject({ blocks: [1], why: 'gone' })
  expect(group.blocks.wholeBlocks()).toEqual(whole)
  expect(group.blocks.verifiedHere(size)).toEqual([{ start: 0, end: whole.length * B }])
  expect(group.blocks.bad(size)).toEqual(bad)
  await group.save()
  expect((await index.load()).groups[0]?.blocks.map(([at]) => at)).toEqual(whole)
})
