import { startReconcileServers } from 'reconcile-test-support/reconcile-servers'
import { afterAll, beforeAll } from 'vitest'
import { hashOf, type Reply, receiverAt, send, signatureOf, WireClient, WireFile } from './wire-client.js'

/** What test/support's servers sign with. */
export const SECRET = 'only-for-tests-0123456789'

const PEER = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/tus-reconcile-peer+json' }

/** Two servers that are each other's peers, for the tests of one file. The first is the home of its uploads. */
export interface WirePair {
  home: string
  mirror: string
  /** The home's `Store-Id`, and the mirror's. */
  homeId: string
  mirrorId: string
  /** A client of a new file, at the home. */
  client(source: number | Buffer<ArrayBuffer>): WireClient
  /** A signed message of the mirror's. */
  say(endpoint: string, message: object): Promise<Reply>
  /** Ends the home, and starts it again with the same bytes. */
  restart(): Promise<void>
}

/** Starts them before the tests of this file and stops them afterwards. */
export function useWirePair(): WirePair {
  const pair: WirePair = {
    ...{ home: '', mirror: '', homeId: '', mirrorId: '' },
    client: (source) => new WireClient(pair.home, pair.homeId, new WireFile(source)),
    restart: async () => {},
    say: async (endpoint, message) => {
      const body = JSON.stringify({ ...message, from: pair.mirrorId })
      const to = await receiverAt(endpoint, SECRET)
      const signature = { 'Reconcile-Signature': signatureOf({ secret: SECRET, body, to }) }
      return send(endpoint, { method: 'POST', headers: { ...PEER, ...signature }, body })
    },
  }
  let close = async (): Promise<void> => {}
  beforeAll(async () => {
    const started = await startReconcileServers({ count: 2 })
    close = started.close
    const [home, mirror] = started.servers.map(({ direct }) => direct)
    pair.restart = async () => started.servers[0]?.restart()
    pair.home = home ?? ''
    pair.mirror = mirror ?? ''
    pair.homeId = await storeIdOf(pair.home)
    pair.mirrorId = await storeIdOf(pair.mirror)
  })
  afterAll(() => close())
  return pair
}

async function storeIdOf(endpoint: string): Promise<string> {
  return headerOf(await send(endpoint, { method: 'OPTIONS' }), 'store-id') ?? ''
}

export function headerOf(reply: { headers: Headers }, name: string): string | null {
  return reply.headers.get(name)
}

export function offsetOf(reply: Reply): number {
  return Number(headerOf(reply, 'upload-offset'))
}

export function codeOf(json: Readonly<Record<string, unknown>>): unknown {
  return Object(json.error).code
}

/** SHA-256 in hex of what GET gives. */
export async function hashAt(url: unknown): Promise<string> {
  const reply = await send(String(url))
  if (reply.status !== 200) throw new Error(`GET: ${reply.status} ${reply.bytes}`)
  return hashOf(reply.bytes)
}
