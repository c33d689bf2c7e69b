import { randomBytes } from 'node:crypto'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import {
  BODY_CONTENT_TYPE,
  formatId,
  formatPartitionHeader,
  OPERATION_CONTENT_TYPE,
  type PartitionHeader,
} from 'tus-reconcile-protocol'

export interface WireAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export type WireHeaders = Readonly<Record<string, string>>

export const TUS: WireHeaders = { 'Tus-Resumable': '1.0.0' }
export const BYTES: WireHeaders = { ...TUS, 'Content-Type': BODY_CONTENT_TYPE }

/** As many connections as are asked for, kept open: the load of every cell goes over it. */
const agent: Agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

export function newId(): string {
  return formatId(randomBytes(16))
}

/** A request whose body the caller sends. */
export function open(method: string, url: string, headers: WireHeaders): ClientRequest {
  return request(url, { method, headers, agent })
}

export async function answerOf(sending: ClientRequest): Promise<WireAnswer> {
  const received = await new Promise<IncomingMessage>((resolve, reject) => {
    sending.once('response', resolve)
    sending.once('error', reject)
  })
  return { status: received.statusCode ?? 0, headers: received.headers, text: await text(received) }
}

/** @throws Error unless the answer is one of the 2xx */
export async function send(
  method: string,
  url: string,
  headers: WireHeaders,
  body?: Uint8Array | string,
): Promise<WireAnswer> {
  const sending = open(
    method,
    url,
    body === undefined ? headers : { ...headers, 'Content-Length': String(body.length) },
  )
  const answering = answerOf(sending)
  sending.end(body)
  const answer = await answering
  if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`)
  return answer
}

/** One file of one client at its home. */
export class WireGroup {
  readonly endpoint: string
  readonly home: string
  readonly size: number
  readonly group: string = newId()
  readonly client: string

  constructor(endpoint: string, home: string, file: { readonly size: number; readonly client?: string }) {
    this.endpoint = endpoint
    this.home = home
    this.size = file.size
    this.client = file.client ?? newId()
  }

  /** Of a creation of the session that brings `[start, end)`. */
  creation(session: string, start: number, end: number): WireHeaders {
    const { group, client, size, home } = this
    const name = `p${start}`
    const header: PartitionHeader = { group, partition: name, session, attempt: 0, client, start, end, size, home }
    return { ...TUS, 'Upload-Partition': formatPartitionHeader(header), 'Upload-Length': String(end - start) }
  }

  operate(operation: object): Promise<WireAnswer> {
    const { group, home, client } = this
    const body = JSON.stringify({ group, home, client, ...operation })
    return send('POST', this.endpoint, { ...TUS, 'Content-Type': OPERATION_CONTENT_TYPE }, body)
  }
}

export async function storeIdOf(endpoint: string): Promise<string> {
  return String((await send('OPTIONS', endpoint, {})).headers['store-id'])
}
