// Does hashing in worker threads pay? Bodies over HTTP, written to a file, SHA-256 of each 256 KiB block: in the main
// thread, in a pool of workers (whole blocks, transferred), or not at all. Prints MB/s and CPU seconds per GB of each
// round, then the ratios worker/main. Node >= 20: node test/bench/digest-threads.mjs [rounds] [MiB per round]
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:http'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

const BLOCK = 262_144
const MODES = ['none', 'main', 'worker']

class Pool {
  #workers = []
  #waiting = new Map()
  #next = 0
  constructor(size) {
    for (let i = 0; i < size; i++) {
      const worker = new Worker(new URL(import.meta.url))
      worker.on('message', ({ id, digest }) => {
        this.#waiting.get(id)(digest)
        this.#waiting.delete(id)
      })
      this.#workers.push(worker)
    }
  }
  digest(bytes) {
    const id = this.#next++
    this.#workers[id % this.#workers.length].postMessage({ id, bytes }, [bytes.buffer])
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }
}

/** A body's blocks, in buffers of their own. */
async function* blocksOf(body) {
  let block = new Uint8Array(BLOCK)
  let at = 0
  for await (const piece of body) {
    for (let from = 0; from < piece.length; ) {
      const length = Math.min(piece.length - from, BLOCK - at)
      block.set(piece.subarray(from, from + length), at)
      from += length
      at += length
      if (at < BLOCK) continue
      yield block
      block = new Uint8Array(BLOCK)
      at = 0
    }
  }
}

async function receive(body, { mode, pool, handle, start }) {
  let position = start
  if (mode === 'worker') {
    const digests = []
    for await (const block of blocksOf(body)) {
      await handle.write(block, 0, BLOCK, position)
      position += BLOCK
      digests.push(pool.digest(block))
    }
    await Promise.all(digests)
    return
  }
  let sha = createHash('sha256')
  let at = 0
  for await (const piece of body) {
    await handle.write(piece, 0, piece.length, position)
    position += piece.length
    if (mode === 'none') continue
    for (let from = 0; from < piece.length; ) {
      const length = Math.min(piece.length - from, BLOCK - at)
      sha.update(piece.subarray(from, from + length))
      from += length
      at += length
      if (at < BLOCK) continue
      sha.digest()
      sha = createHash('sha256')
      at = 0
    }
  }
}

async function serve() {
  const directory = await mkdtemp(join(tmpdir(), 'digest-threads-'))
  const handle = await open(join(directory, 'data'), 'w+')
  const pool = new Pool(Math.max(1, availableParallelism() - 1))
  const server = createServer(async (req, res) => {
    const mode = req.headers['x-mode']
    const start = Number(req.headers['x-start'])
    if (req.method === 'GET') return res.end(JSON.stringify(process.cpuUsage()))
    await receive(req, { mode, pool, handle, start })
    res.end()
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.on('message', async () => {
    await handle.close()
    await rm(directory, { recursive: true })
    process.exit(0)
  })
}

const agent = new Agent({ keepAlive: true })
function send(port, { method, headers, bytes, size }) {
  return new Promise((resolve, reject) => {
    const req = request({ port, host: '127.0.0.1', method, agent, headers }, (res) => {
      const chunks = []
      res.on('data', (chunk) => chunks.push(chunk))
      res.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    req.on('error', reject)
    const next = (sent) => {
      for (let at = sent; at < size; at += bytes.length) {
        if (!req.write(bytes)) return req.once('drain', () => next(at + bytes.length))
      }
      req.end()
    }
    if (bytes) next(0)
    else req.end()
  })
}

async function cpuSeconds(port) {
  const { user, system } = JSON.parse(await send(port, { method: 'GET' }))
  return (user + system) / 1e6
}

async function round(port, mode, { connections, size }) {
  const bytes = Buffer.alloc(65_536, 7)
  const share = Math.floor(size / connections / BLOCK) * BLOCK
  const before = await cpuSeconds(port)
  const began = performance.now()
  await Promise.all(
    Array.from({ length: connections }, (_, i) =>
      send(port, { method: 'PATCH', headers: { 'x-mode': mode, 'x-start': i * share }, bytes, size: share }),
    ),
  )
  const seconds = (performance.now() - began) / 1000
  const total = share * connections
  return { rate: total / 1e6 / seconds, cpu: ((await cpuSeconds(port)) - before) / (total / 1e9) }
}

async function main() {
  const rounds = Number(process.argv[2] ?? 8)
  const size = Number(process.argv[3] ?? 512) * 1_048_576
  const server = fork(new URL(import.meta.url), ['serve'])
  const port = await new Promise((resolve) => server.once('message', resolve))
  for (const connections of [1, 16]) {
    const results = { none: [], main: [], worker: [] }
    for (const mode of MODES) await round(port, mode, { connections, size: size / 4 })
    for (let i = 0; i < rounds; i++) {
      for (const mode of i % 2 ? [...MODES].reverse() : MODES) {
        results[mode].push(await round(port, mode, { connections, size }))
      }
    }
    for (const mode of MODES) {
      const show = (key, digits) => results[mode].map((result) => result[key].toFixed(digits)).join(' ')
      console.log(`${connections} connections, ${mode}: MB/s ${show('rate', 0)}; CPU s/GB ${show('cpu', 2)}`)
    }
    const ratios = results.worker.map((result, i) => result.rate / results.main[i].rate).sort((a, b) => a - b)
    console.log(`${connections} connections, worker/main: ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`)
  }
  agent.destroy()
  server.send('end')
}

if (!isMainThread) {
  parentPort.on('message', ({ id, bytes }) => {
    parentPort.postMessage({ id, digest: createHash('sha256').update(bytes).digest('base64url') })
  })
} else if (process.argv[2] === 'serve') await serve()
else await main()
