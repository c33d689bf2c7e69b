import { type ClientRequest, request } from 'node:http'
import { BLOCK_SIZE, OPERATION_CONTENT_TYPE } from 'tus-reconcile-protocol'
import { BYTES, newId, open, storeIdOf, TUS, WireGroup } from './wire.js'

interface Stream {
  readonly client: string
  readonly request: ClientRequest
  onText: (text: string) => void
}

/** Connections that are opened at a time: more than a listener's queue are refused. */
const OPENED_AT_ONCE = 200
let streams: Stream[] = []

export async function openStreams({ endpoint, count }: { endpoint: string; count: number }): Promise<void> {
  while (streams.length < count) {
    const some = Math.min(OPENED_AT_ONCE, count - streams.length)
    streams.push(...(await Promise.all(Array.from({ length: some }, () => openStream(endpoint)))))
  }
}

function openStream(endpoint: string): Promise<Stream> {
  const client = newId()
  return new Promise((resolve, reject) => {
    const headers = { ...TUS, 'Content-Type': OPERATION_CONTENT_TYPE }
    const asking = request(endpoint, { method: 'POST', headers, agent: false })
    const stream: Stream = { client, request: asking, onText: () => resolve(stream) }
    asking.once('error', reject)
    asking.once('response', (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`an event stream was answered ${answer.statusCode}`))
      answer.setEncoding('utf8').on('data', (text: string) => stream.onText(text))
      answer.once('error', () => {})
    })
    asking.end(JSON.stringify({ op: 'events', client }))
  })
}

/** Writers at a time. */
const WRITERS = 8

/** Bytes are written for the clients of some of the streams: milliseconds until the stream tells of each. */
export async function timeEvents({ endpoint, samples }: { endpoint: string; samples: number }): Promise<number[]> {
  const home = await storeIdOf(endpoint)
  const sampled = Array.from({ length: samples }, (_, i) => streams[Math.floor((i * streams.length) / samples)])
  const times: number[] = []
  const write = async () => {
    for (let stream = sampled.pop(); stream; stream = sampled.pop()) {
      const file = new WireGroup(endpoint, home, { size: 2 * BLOCK_SIZE, client: stream.client })
      times.push(await timeEvent(file, stream))
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
  return times
}

async function timeEvent(file: WireGroup, stream: Stream): Promise<number> {
  const headers = { ...BYTES, ...file.creation(newId(), 0, 2 * BLOCK_SIZE), 'Content-Length': String(2 * BLOCK_SIZE) }
  const posting = open('POST', file.endpoint, headers)
  posting.on('error', () => {})
  const told = new Promise<void>((resolve) => {
    stream.onText = (text) => {
      if (text.includes(`"group":"${file.group}"`) && text.includes('"offset":1000}')) resolve()
    }
  })
  const began = performance.now()
  posting.write(Buffer.alloc(1000, 7))
  await told
  const tookMs = performance.now() - began
  posting.destroy()
  return tookMs
}

export async function closeStreams(): Promise<void> {
  for (const { request: asking } of streams) asking.destroy()
  streams = []
}
