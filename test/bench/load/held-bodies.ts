import type { ClientRequest } from 'node:http'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { answerOf, BYTES, newId, open, send, storeIdOf, TUS, WireGroup } from './wire.js'

/** Sessions of one group: below what a server lets one have open. */
const SESSIONS_PER_GROUP = 250
let held: ClientRequest[] = []

interface Bodies {
  readonly endpoint: string
  readonly count: number
  /** Of each body: it has begun and stays open. */
  readonly sentBytes: number
}

/** Bodies that have begun and are not going on: sessions of ours. */
export async function holdSessions({ endpoint, count, sentBytes }: Bodies): Promise<void> {
  const home = await storeIdOf(endpoint)
  let file: WireGroup | undefined
  for (let i = 0; i < count; i++) {
    const place = i % SESSIONS_PER_GROUP
    if (place === 0) file = new WireGroup(endpoint, home, { size: SESSIONS_PER_GROUP * 4 * BLOCK_SIZE })
    if (!file) continue
    const start = place * 4 * BLOCK_SIZE
    hold(endpoint, { ...BYTES, ...file.creation(newId(), start, start + 4 * BLOCK_SIZE) }, sentBytes)
  }
}

/** The same of plain uploads. */
export async function holdPlain({ endpoint, count, sentBytes }: Bodies): Promise<void> {
  for (let i = 0; i < count; i++) hold(endpoint, { ...BYTES, 'Upload-Length': String(4 * BLOCK_SIZE) }, sentBytes)
}

function hold(endpoint: string, headers: Record<string, string>, sentBytes: number): void {
  const sending = open('POST', endpoint, { ...headers, 'Content-Length': String(4 * BLOCK_SIZE) })
  sending.on('error', () => {})
  sending.write(Buffer.alloc(sentBytes, 7))
  held.push(sending)
}

export async function letGo(): Promise<void> {
  for (const sending of held) sending.destroy()
  held = []
}

/**
 * A PATCH holds a plain upload, and a HEAD waits for it. Milliseconds until the HEAD is answered, whatever the answer.
 */
export async function waitForLock({ endpoint, size }: { endpoint: string; size: number }): Promise<number> {
  const created = await send('POST', endpoint, { ...TUS, 'Upload-Length': String(size) })
  const url = String(created.headers.location)
  const patching = open('PATCH', url, { ...BYTES, 'Upload-Offset': '0', 'Content-Length': String(size) })
  patching.on('error', () => {})
  // the upload is held once the server has taken this and asked for more
  await new Promise<void>((resolve) => patching.write(Buffer.alloc(65_536), () => setTimeout(resolve, 300)))
  const began = performance.now()
  const asking = open('HEAD', url, TUS)
  const answering = answerOf(asking)
  asking.end()
  await answering
  const tookMs = performance.now() - began
  patching.destroy()
  return tookMs
}
