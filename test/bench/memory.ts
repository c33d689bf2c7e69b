// What memory an upload from a path takes in Node: npm run bench:memory -- --help
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { parseFlags } from './bench-flags.js'
import { BenchProcess } from './calls.js'
import { describeMachine, machineText } from './machine.js'
import { MeasuredServer } from './measured-server.js'
import type { MemoryTaken } from './memory-process.js'
import { putBetween } from './report.js'

const USAGE = `npm run bench:memory -- [--sizes MB,MB…] [--markdown]
  --sizes      of the files, MB (default 100,1000,4000): the largest is written to TMPDIR by the server
  --markdown   puts the table into docs/engine-benchmarks.md`

const FLAGS = { sizes: { type: 'string' }, markdown: { type: 'boolean' }, help: { type: 'boolean' } } as const
const MARKS = { begin: '<!-- memory: npm run bench:memory -- --markdown -->', end: '<!-- end of memory -->' }
const MB = 1_000_000

/** Sparse, but no block is like another: none is found by its digest. */
async function writeSparse(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.truncate(sizeBytes)
    for (let at = 0; at < sizeBytes; at += BLOCK_SIZE) {
      const mark = Buffer.alloc(Math.min(8, sizeBytes - at))
      mark.writeUIntLE(at / BLOCK_SIZE + 1, 0, Math.min(6, mark.length))
      await file.write(mark, 0, mark.length, at)
    }
  } finally {
    await file.close()
  }
}

async function measure(sizeBytes: number): Promise<MemoryTaken> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-memory-'))
  const server = await MeasuredServer.start('reconcile')
  const client = new BenchProcess('memory-process')
  try {
    const upload = async (name: string, bytes: number) => {
      const path = join(directory, name)
      await writeSparse(path, bytes)
      return client.call<MemoryTaken>('upload', { endpoint: server.endpoint, path })
    }
    // what any upload takes is none of this one's
    await upload('small', MB)
    return await upload('file', sizeBytes)
  } finally {
    await client.stop()
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

function parseSizes(text: string): number[] {
  const sizes = text.split(',').map(Number)
  if (sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= 100_000)) return sizes
  throw new Error(`--sizes are whole numbers of MB from 1 to 100000, not ${text}\n${USAGE}`)
}

function rowOf(sizeMb: number, { residentBytes, heapBytes, bufferBytes, seconds }: MemoryTaken): string {
  const figures = [residentBytes, heapBytes, bufferBytes].map((bytes) => (bytes / MB).toFixed(1))
  return `| ${[sizeMb, ...figures, Math.round(sizeMb / seconds)].join(' | ')} |`
}

async function main(): Promise<void> {
  const values = parseFlags(process.argv.slice(2), FLAGS, USAGE)
  if (values.help) return console.log(USAGE)
  const machine = machineText(describeMachine())
  const rows: string[] = []
  for (const sizeMb of parseSizes(values.sizes ?? '100,1000,4000')) {
    const row = rowOf(sizeMb, await measure(sizeMb * MB))
    console.log(row)
    rows.push(row)
  }
  const head = '| File, MB | Resident, MB | Heap, MB | Buffers, MB | MB/s |\n| ---: | ---: | ---: | ---: | ---: |'
  const text = `${new Date().toISOString().slice(0, 10)}: ${machine}\n\n${[head, ...rows].join('\n')}`
  console.log(text)
  if (values.markdown) await putBetween('docs/engine-benchmarks.md', MARKS, text)
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
