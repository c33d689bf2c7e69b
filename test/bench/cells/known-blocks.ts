import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchProcess } from '../calls.js'
import { percentile, spreadOf } from '../figures.js'
import type { Cell } from './cell.js'

/** As many as one `have` may bring (spec: protocol, P44). */
const ASKED_AT_ONCE = 4096

/** What `have` asks the index of stored blocks: which of 4,096 leaves, half of them known, are there. */
export const knownBlocks: Cell = {
  name: 'known-blocks',
  async run(bench) {
    const blocks = bench.quick ? 20_000 : 1_000_000
    const directory = await mkdtemp(join(tmpdir(), 'bench-index-'))
    const index = new BenchProcess('index-process')
    await index.call('fill', { directory, blocks })
    const asked = { blocks, count: ASKED_AT_ONCE }
    await index.call('ask', { ...asked, samples: 5 })
    const times = await index.call<number[]>('ask', { ...asked, samples: bench.quick ? 20 : 100 })
    await index.call('close')
    await index.stop()
    await rm(directory, { recursive: true, force: true })
    const sorted = times.toSorted((a, b) => a - b)
    const name = `${ASKED_AT_ONCE} leaves, half of them known, in an index of ${blocks.toLocaleString('en')}`
    return [0.5, 0.99].map((share) => ({
      name: `${name}: p${share * 100}`,
      unit: 'ms',
      ours: spreadOf([percentile(sorted, share)]),
    }))
  },
}
