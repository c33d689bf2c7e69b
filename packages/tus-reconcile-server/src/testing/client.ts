import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import {
  BLOCK_SIZE,
  BODY_CONTENT_TYPE,
  encodeDigest,
  formatId,
  formatMessage,
  formatPartitionHeader,
  merkleRoot,
  OPERATION_CONTENT_TYPE,
  type OperationName,
  type OperationRequest,
  type PartitionHeader,
  parseAnswer,
} from 'tus-reconcile-protocol'
import { SlowRequest, TestEvents } from './streams.js'

export const newId = (): string => formatId(randomBytes(16))
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const blockDigest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/** A source and what a client knows of it. */
export class TestFile {
  readonly bytes: Buffer<ArrayBuffer>
  readonly group = newId()
  readonly client = newId()
  constructor(size: number) {
    this.bytes = randomFillSync(Buffer.alloc(size))
  }
  get size(): number {
    return this.bytes.length
  }
  leaves(start = 0, end = this.size): string[] {
    const leaves: string[] = []
    for (let at = start; at < end; at += BLOCK_SIZE) {
      leaves.push(encodeDigest(blockDigest(this.bytes.subarray(at, Math.min(at + BLOCK_SIZE, this.size)))))
    }
    return leaves
  }
  async root(): Promise<string> {
    const digests = this.leaves().map((leaf) => Buffer.from(leaf, 'base64url'))
    return encodeDigest(await merkleRoot(digests, this.size, blockDigest))
  }
}

export interface TestSession {
  readonly id: string
  readonly partition: string
  readonly start: number
  readonly end: number
  attempt: number
  url: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A client of one store, as bare as the wire. */
export class TestClient {
  readonly endpoint: string
  readonly file: TestFile
  readonly home: string
  constructor(endpoint: string, file: TestFile, home: string) {
    this.endpoint = endpoint
    this.file = file
    this.home = home
  }

  header(session: TestSession, more: Partial<PartitionHeader> = {}): Record<string, string> {
    const { id, partition, attempt, start, end } = session
    const { group, client, size } = this.file
    const header = { group, partition, session: id, attempt, client, start, end, size, home: this.home, ...more }
    return { 'Tus-Resumable': '1.0.0', 'Upload-Partition': formatPartitionHeader(header) }
  }

  session(start: number, end: number, partition = `p${start / BLOCK_SIZE}`): TestSession {
    return { id: newId(), partition, start, end, attempt: 0, url: '' }
  }

  async post(
    session: TestSession,
    body?: Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const answer = await this.send(this.endpoint, {
      method: 'POST',
      headers: {
        ...this.header(session),
        'Upload-Defer-Length': '1',
        'Upload-Metadata': `filename ${Buffer.from('a.bin').toString('base64')}`,
        ...(body ? { 'Content-Type': BODY_CONTENT_TYPE } : {}),
        ...headers,
      },
      ...(body ? { body } : {}),
    })
    session.url = answer.headers.get('location') ?? session.url
    return answer
  }

  patch(
    session: TestSession,
    offset: number,
    body: Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.send(session.url, {
      method: 'PATCH',
      headers: {
        ...this.header(session),
        'Upload-Offset': String(offset),
        'Content-Type': BODY_CONTENT_TYPE,
        ...headers,
      },
      body,
    })
  }

  /** A PATCH whose body has begun, of which the server has recorded `sent` bytes. */
  async beginPatch(session: TestSession, sent: number, bytes: Uint8Array = this.file.bytes): Promise<SlowRequest> {
    const events = await new TestEvents(this.endpoint, this.file.client).open()
    const slow = new SlowRequest('PATCH', session.url, {
      ...this.header(session),
      'Upload-Offset': 0,
      'Content-Type': BODY_CONTENT_TYPE,
      'Content-Length': session.end - session.start,
    })
    slow.write(bytes.subarray(session.start, session.start + sent))
    await events.until((event) => event.type === 'offset' && event.session === session.id && event.offset === sent)
    events.close()
    return slow
  }

  head(session: TestSession, headers = this.header(session)): Promise<Answer> {
    return this.send(session.url, { method: 'HEAD', headers })
  }

  /** The whole range of a session, in one POST. */
  async upload(start: number, end: number, partition?: string): Promise<TestSession> {
    const session = this.session(start, end, partition)
    const answer = await this.post(session, this.file.bytes.subarray(start, end))
    if (answer.status !== 201) throw new Error(`POST ${answer.status} ${answer.text}`)
    return session
  }

  async send(url: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(url, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  operate(operation: OperationRequest, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send(this.endpoint, {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE, ...headers },
      body: formatMessage(operation),
    })
  }

  async ask<Name extends OperationName>(
    op: Name,
    members: object = {},
  ): Promise<{ status: number; answer: ReturnType<typeof parseAnswer<Name>> }> {
    const text = JSON.stringify({ op, group: this.file.group, home: this.home, client: this.file.client, ...members })
    const headers = { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE }
    const answer = await this.send(this.endpoint, { method: 'POST', headers, body: text })
    try {
      return { status: answer.status, answer: parseAnswer(op, JSON.parse(answer.text)) }
    } catch (cause) {
      throw new Error(`${op}: ${answer.status} ${answer.text}`, { cause })
    }
  }

  claim(session: TestSession, start = session.start, end = session.end) {
    return this.ask('claim', { claims: [{ session: session.id, start, leaves: this.file.leaves(start, end) }] })
  }

  /** Asks for the commit until the home has pulled what it lacks: on a busy machine that is not within its first answer. */
  async commit() {
    let last = await this.commitOnce()
    while (last.status === 202) last = await this.commitOnce()
    return last
  }

  async commitOnce() {
    return this.ask('commit', { size: this.file.size, root: await this.file.root() })
  }

  async download(url: string): Promise<string> {
    return sha256(new Uint8Array(await (await fetch(url)).arrayBuffer()))
  }
}
