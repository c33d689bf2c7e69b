// The index of stored blocks in a process of its own, as a server has it: filled, then asked.
import { createHash } from 'node:crypto'
import { type ContentEntry, LevelIndex } from 'tus-reconcile-server'
import { serveCalls } from './calls.js'

const SCOPE = 'tenant'
/** A batch of this many is one write. */
const WRITTEN_AT_ONCE = 4096
/** Of a block that is stored; a number makes its digest. */
const leafOf = (block: number): string => createHash('sha256').update(`stored ${block}`).digest('base64url')
const unknownLeafOf = (n: number): string => createHash('sha256').update(`unknown ${n}`).digest('base64url')
const BLOCKS_PER_FILE = 4096

let index: LevelIndex | undefined

async function fill({ directory, blocks }: { directory: string; blocks: number }): Promise<void> {
  index = new LevelIndex({ directory })
  await index.load()
  for (let at = 0; at < blocks; at += WRITTEN_AT_ONCE) {
    const entries = Array.from({ length: Math.min(WRITTEN_AT_ONCE, blocks - at) }, (_, i): ContentEntry => {
      const block = at + i
      const file = Math.floor(block / BLOCKS_PER_FILE)
      return { scope: SCOPE, leaf: leafOf(block), fileId: `file-${file}`, block: block % BLOCKS_PER_FILE }
    })
    await index.contents.put(entries)
  }
}

/** Milliseconds of each question after `count` leaves, of which every second is known. */
async function ask(o: { blocks: number; count: number; samples: number }): Promise<number[]> {
  const times: number[] = []
  for (let sample = 0; sample < o.samples; sample++) {
    const leaves = Array.from({ length: o.count }, (_, i) => {
      const n = sample * o.count + i
      return i % 2 === 0 ? unknownLeafOf(n) : leafOf((n * 7919) % o.blocks)
    })
    const began = performance.now()
    const found = await index?.contents.find(SCOPE, leaves)
    times.push(performance.now() - began)
    if (found?.size !== o.count / 2) throw new Error(`${found?.size} of ${o.count / 2} known leaves were found`)
  }
  return times
}

async function close(): Promise<void> {
  await index?.close()
}

serveCalls({ fill, ask, close })
