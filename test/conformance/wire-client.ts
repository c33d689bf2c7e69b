import { createHash, createHmac, randomBytes, randomFillSync } from 'node:crypto'
import { type ClientRequest, type IncomingHttpHeaders, request } from 'node:http'

// Written from docs/protocol.md alone: nothing of ours is imported, so that a fault in it cannot hide here.

/** Bytes per block. */
export const B = 262_144
export const BYTES = 'application/offset+octet-stream'
const OPERATION = 'application/tus-reconcile+json'
const PEER = 'application/tus-reconcile-peer+json'
const TUS = { 'Tus-Resumable': '1.0.0' }

export const newId = (): string => randomBytes(16).toString('base64url')
export const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

/** The top of the tree: the left half is the largest power of two below the number of leaves. */
function topOf(digests: readonly Uint8Array[]): Buffer {
  const [only] = digests
  if (!only) return Buffer.alloc(32)
  if (digests.length === 1) return sha256(Buffer.of(0), only)
  let half = 1
  while (half * 2 < digests.length) half *= 2
  return sha256(Buffer.of(1), topOf(digests.slice(0, half)), topOf(digests.slice(half)))
}

/** A source, and what a client knows of it. */
export class WireFile {
  readonly bytes: Buffer<ArrayBuffer>
  readonly group = newId()
  readonly client = newId()

  constructor(source: number | Buffer<ArrayBuffer>) {
    this.bytes = typeof source === 'number' ? randomFillSync(Buffer.alloc(source)) : source
  }

  get size(): number {
    return this.bytes.length
  }

  digests(start = 0, end = this.size): Buffer[] {
    const digests: Buffer[] = []
    for (let at = start; at < end; at += B) digests.push(sha256(this.bytes.subarray(at, Math.min(at + B, end))))
    return digests
  }

  leaves(start = 0, end = this.size): string[] {
    return this.digests(start, end).map((digest) => digest.toString('base64url'))
  }

  get root(): string {
    const facts = Buffer.alloc(12)
    facts.writeBigUInt64BE(BigInt(this.size), 0)
    facts.writeUInt32BE(B, 8)
    return sha256(Buffer.of(2), facts, topOf(this.digests())).toString('base64url')
  }
}

export interface Session {
  readonly id: string
  readonly partition: string
  readonly start: number
  readonly end: number
  /** Of the next request. */
  attempt: number
  url: string
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

export interface OperationReply {
  readonly status: number
  readonly headers: Headers
  readonly json: Readonly<Record<string, unknown>>
}

type Facts = Readonly<Record<string, string | number | null>>

export async function send(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init)
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

export async function postJson(url: string, text: string, headers: Record<string, string>): Promise<OperationReply> {
  const reply = await send(url, { method: 'POST', headers, body: text })
  return { status: reply.status, headers: reply.headers, json: readJson(reply.bytes.toString()) }
}

export function readJson(text: string): Readonly<Record<string, unknown>> {
  const json: unknown = JSON.parse(text)
  if (!isRecord(json)) throw new Error(`not an object: ${text}`)
  return json
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The client of one file, at one endpoint. */
export class WireClient {
  readonly endpoint: string
  readonly home: string
  readonly file: WireFile

  constructor(endpoint: string, home: string, file: WireFile) {
    this.endpoint = endpoint
    this.home = home
    this.file = file
  }

  /** The same file at another server. */
  at(endpoint: string): WireClient {
    return new WireClient(endpoint, this.home, this.file)
  }

  session(start: number, end: number, partition = `p${start / B}`): Session {
    return { id: newId(), partition, start, end, attempt: 0, url: '' }
  }

  /** `facts` replace members of `Upload-Partition`; null leaves one out. */
  headers(session: Session, facts: Facts = {}): Record<string, string> {
    const { id, partition, start, end } = session
    const { group, client, size } = this.file
    const attempt = session.attempt++
    const all = { group, partition, session: id, attempt, client, start, end, size, home: this.home, ...facts }
    const members = Object.entries(all).filter(([, value]) => value !== null)
    const text = members.map(([name, value]) => `${name}=${typeof value === 'number' ? value : `"${value}"`}`)
    return { ...TUS, 'Upload-Partition': text.join(', ') }
  }

  async create(session: Session, body?: Uint8Array<ArrayBuffer>, facts: Facts = {}): Promise<Reply> {
    const headers: Record<string, string> = {
      ...this.headers(session, facts),
      'Upload-Concat': 'partial',
      'Upload-Defer-Length': '1',
      ...(body ? { 'Content-Type': BYTES } : {}),
    }
    const reply = await send(this.endpoint, { method: 'POST', headers, ...(body ? { body } : {}) })
    session.url = reply.headers.get('location') ?? session.url
    return reply
  }

  patch(session: Session, offset: number, body: Uint8Array<ArrayBuffer>, facts: Facts = {}): Promise<Reply> {
    const headers = { ...this.headers(session, facts), 'Upload-Offset': String(offset), 'Content-Type': BYTES }
    return send(session.url, { method: 'PATCH', headers, body })
  }

  head(session: Session, facts: Facts = {}): Promise<Reply> {
    return send(session.url, { method: 'HEAD', headers: this.headers(session, facts) })
  }

  /** A session with all its bytes, of a range of the file. */
  async upload(start: number, end: number, partition?: string): Promise<Session> {
    const session = this.session(start, end, partition)
    const reply = await this.create(session, this.file.bytes.subarray(start, end))
    if (reply.status !== 201) throw new Error(`creation: ${reply.status} ${reply.bytes}`)
    return session
  }

  ask(op: string, members: object = {}): Promise<OperationReply> {
    const { group, client } = this.file
    return this.postOperation(JSON.stringify({ op, group, home: this.home, client, ...members }))
  }

  postOperation(text: string): Promise<OperationReply> {
    return postJson(this.endpoint, text, { ...TUS, 'Content-Type': OPERATION })
  }

  claim(session: Session, leaves = this.file.leaves(session.start, session.end)): Promise<OperationReply> {
    return this.ask('claim', { claims: [{ session: session.id, start: session.start, leaves }] })
  }

  commit(root = this.file.root): Promise<OperationReply> {
    return this.ask('commit', { size: this.file.size, root })
  }

  /** PATCH of all the session's bytes from its beginning, of which the server has recorded `sent`. */
  async beginPatch(session: Session, sent: number): Promise<SlowRequest> {
    const events = await WireEvents.open(this.endpoint, this.file.client)
    const slow = new SlowRequest('PATCH', session.url, {
      ...this.headers(session),
      'Upload-Offset': 0,
      'Content-Type': BYTES,
      'Content-Length': session.end - session.start,
    })
    slow.request.write(this.file.bytes.subarray(session.start, session.start + sent))
    await events.until(({ data }) => data.type === 'offset' && data.session === session.id && data.offset === sent)
    events.close()
    return slow
  }
}

export interface SlowReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly json: Readonly<Record<string, unknown>>
}

/** A request whose body the test sends piece by piece, on a connection of its own. */
export class SlowRequest {
  readonly request: ClientRequest
  readonly reply: Promise<SlowReply>
  readonly closed: Promise<void>

  constructor(method: string, url: string, headers: Record<string, string | number>) {
    this.request = request(url, { method, headers, agent: false })
    this.closed = new Promise((resolve) => this.request.once('close', () => resolve()))
    this.reply = new Promise((resolve, reject) => {
      this.request.once('error', reject)
      this.request.once('response', (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.once('error', reject)
        response.once('end', () => {
          const text = Buffer.concat(pieces).toString()
          const json = text === '' ? {} : readJson(text)
          resolve({ status: response.statusCode ?? 0, headers: response.headers, json })
        })
      })
    })
    this.reply.catch(() => {})
  }
}

export interface WireEvent {
  readonly id: string
  readonly data: Readonly<Record<string, unknown>>
}

/** The event stream of one client. */
export class WireEvents {
  readonly events: WireEvent[] = []
  /** What came first. */
  first = ''
  readonly #abort = new AbortController()
  #waiting: (() => void)[] = []

  /** Settles when the stream has begun. */
  static async open(endpoint: string, client: string, lastEventId?: string): Promise<WireEvents> {
    const stream = new WireEvents()
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { ...TUS, 'Content-Type': OPERATION },
      body: JSON.stringify({ op: 'events', client, lastEventId }),
      signal: stream.#abort.signal,
    })
    if (response.status !== 200 || !response.body) throw new Error(`events: ${response.status}`)
    void stream.#read(response.body).catch(() => {})
    while (stream.first === '') await stream.#more()
    return stream
  }

  async until(test: (event: WireEvent) => boolean): Promise<WireEvent> {
    for (;;) {
      const found = this.events.find(test)
      if (found) return found
      await this.#more()
    }
  }

  close(): void {
    this.#abort.abort()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    for await (const piece of body) {
      text += decoder.decode(piece, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  #take(block: string): void {
    if (this.first === '') this.first = block
    const id = /^id: (.*)$/m.exec(block)?.[1]
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (id !== undefined && data !== undefined) this.events.push({ id, data: readJson(data) })
  }
}

export interface Stamp {
  readonly secret: string
  readonly body: string
  readonly nonce?: string
  readonly nowMs?: number
  readonly path?: string
}

/** `Reconcile-Signature` of a POST. */
export function signatureOf({ secret, body, nonce = newId(), nowMs = Date.now(), path = '/files' }: Stamp): string {
  const text = ['POST', path, nowMs, nonce, sha256(Buffer.from(body)).toString('base64url')].join('\n')
  return `t=${nowMs}, n=${nonce}, s=${createHmac('sha256', secret).update(text).digest('base64url')}`
}

export function postPeerMessage(endpoint: string, body: string, signature?: string): Promise<OperationReply> {
  const signed = signature === undefined ? {} : { 'Reconcile-Signature': signature }
  return postJson(endpoint, body, { ...TUS, 'Content-Type': PEER, ...signed })
}
