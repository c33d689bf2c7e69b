import { createHmac } from 'node:crypto'
import { newId, sha256 } from './wire-file.js'
import { type OperationReply, postJson, TUS } from './wire-http.js'

const PEER = 'application/tus-reconcile-peer+json'

/** A peer as it presents itself in answer to `hello`. */
export interface Receiver {
  readonly storeId: string
  readonly run: string
}

/** Whom `hello` is signed for. */
const ANYBODY: Receiver = { storeId: '', run: '' }

export interface Stamp {
  readonly secret: string
  readonly body: string
  readonly to?: Receiver
  readonly nonce?: string
  readonly nowMs?: number
  readonly path?: string
}

/** `Reconcile-Signature` of a POST. */
export function signatureOf(stamp: Stamp): string {
  const { secret, body, to = ANYBODY, nonce = newId(), nowMs = Date.now(), path = '/files' } = stamp
  const text = ['POST', path, nowMs, nonce, to.storeId, to.run, digestOf(body)].join('\n')
  return `t=${nowMs}, n=${nonce}, r=${to.run}, s=${hmacOf(secret, text)}`
}

/** `Reconcile-Signature` of an answer without `Retry-After` to the message of this signature. */
export function answerSignatureOf(of: { secret: string; message: string; status: number; text: string }): string {
  const mac = /, s=(.+)$/.exec(of.message)?.[1]
  return `s=${hmacOf(of.secret, ['ANSWER', mac, of.status, '', digestOf(of.text)].join('\n'))}`
}

export function postPeerMessage(endpoint: string, body: string, signature?: string): Promise<OperationReply> {
  const signed = signature === undefined ? {} : { 'Reconcile-Signature': signature }
  return postJson(endpoint, body, { ...TUS, 'Content-Type': PEER, ...signed })
}

/** Whom a message to this endpoint has to be signed for. */
export async function receiverAt(endpoint: string, secret: string): Promise<Receiver> {
  const body = JSON.stringify({ op: 'hello', from: newId() })
  const { status, text, json } = await postPeerMessage(endpoint, body, signatureOf({ secret, body }))
  if (status !== 200) throw new Error(`hello: ${status} ${text}`)
  return { storeId: String(json.storeId), run: String(json.run) }
}

function digestOf(text: string): string {
  return sha256(Buffer.from(text)).toString('base64url')
}

function hmacOf(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url')
}
