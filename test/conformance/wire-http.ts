export const BYTES = 'application/offset+octet-stream'
export const OPERATION = 'application/tus-reconcile+json'
export const TUS = { 'Tus-Resumable': '1.0.0' }

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

export interface OperationReply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

export async function send(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init)
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

export async function postJson(url: string, text: string, headers: Record<string, string>): Promise<OperationReply> {
  const reply = await send(url, { method: 'POST', headers, body: text })
  const answer = reply.bytes.toString()
  return { status: reply.status, headers: reply.headers, text: answer, json: readJson(answer) }
}

export function readJson(text: string): Readonly<Record<string, unknown>> {
  const json: unknown = JSON.parse(text)
  if (!isRecord(json)) throw new Error(`not an object: ${text}`)
  return json
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
