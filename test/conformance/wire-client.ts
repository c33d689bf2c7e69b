import { SlowRequest } from './slow-request.js'
import { WireEvents } from './wire-events.js'
import { B, newId, type WireFile } from './wire-file.js'
import { BYTES, OPERATION, type OperationReply, postJson, type Reply, send, TUS } from './wire-http.js'

export { answerSignatureOf, postPeerMessage, receiverAt, type Stamp, signatureOf } from './peer-signature.js'
export { type SlowReply, SlowRequest } from './slow-request.js'
export { type WireEvent, WireEvents } from './wire-events.js'
export { B, hashOf, newId, sha256, WireFile } from './wire-file.js'
export { BYTES, type OperationReply, postJson, type Reply, readJson, send, TUS } from './wire-http.js'

// Written from docs/protocol.md alone: nothing of ours is imported, so that a fault in it cannot hide here.

export interface Session {
  readonly id: string
  readonly partition: string
  readonly start: number
  readonly end: number
  /** Of the next request. */
  attempt: number
  url: string
}

type Facts = Readonly<Record<string, string | number | null>>

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

  /** A session that was created with the first `sent` bytes of its range. */
  async open(start: number, end: number, sent = 0): Promise<Session> {
    const session = this.session(start, end)
    const reply = await this.create(session, sent > 0 ? this.file.bytes.subarray(start, start + sent) : undefined)
    if (reply.status !== 201) throw new Error(`creation: ${reply.status} ${reply.bytes}`)
    return session
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
