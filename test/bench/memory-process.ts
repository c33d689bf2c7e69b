// Uploads files and says what memory that took: in a process of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { serveCalls } from './calls.js'

/** What an upload took at most beside what the process took before it, bytes. */
export interface MemoryTaken {
  readonly residentBytes: number
  /** Live on the heap after a garbage collection, and in buffers beside it. */
  readonly heapBytes: number
  readonly bufferBytes: number
  readonly seconds: number
}

/** A collection each: often enough to see what grows, seldom enough to change little. */
const COLLECT_MS = 1_000
const LOOK_MS = 100

async function upload({ endpoint, path }: { endpoint: string; path: string }): Promise<MemoryTaken> {
  const collect = globalThis.gc
  if (!collect) throw new Error('start it with --expose-gc')
  collect()
  const before = process.memoryUsage()
  let [residentBytes, heapBytes, bufferBytes] = [0, 0, 0]
  let hasEnded = false
  const began = performance.now()
  const watch = async () => {
    for (let nextMs = 0; !hasEnded; await sleep(LOOK_MS)) {
      residentBytes = Math.max(residentBytes, process.memoryUsage.rss() - before.rss)
      if (performance.now() < nextMs) continue
      nextMs = performance.now() + COLLECT_MS
      collect()
      const now = process.memoryUsage()
      heapBytes = Math.max(heapBytes, now.heapUsed - before.heapUsed)
      bufferBytes = Math.max(bufferBytes, now.arrayBuffers - before.arrayBuffers)
    }
  }
  const watching = watch()
  await new AdaptiveUpload({ path }, { endpoint }).start().finally(() => {
    hasEnded = true
  })
  await watching
  return { residentBytes, heapBytes, bufferBytes, seconds: (performance.now() - began) / 1_000 }
}

serveCalls({ upload })
