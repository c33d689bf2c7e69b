import { createHmac } from 'node:crypto'
import { newId, sha256 } from './wire-file.js'
import { type OperationReply, postJson, TUS } from './wire-http.js'

const PEER = 'application/tus-reconcile-peer+json'

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

/** `Reconcile-Signature` of an answer without `Retry-After`. */
export function answerSignatureOf(of: { secret: string; nonce: string; status: number; text: string }): string {
  const text = ['ANSWER', of.nonce, of.status, '', sha256(Buffer.from(of.text)).toString('base64url')].join('\n')
  return `s=${createHmac('sha256', of.secret).update(text).digest('base64url')}`
}

export function postPeerMessage(endpoint: string, body: string, signature?: string): Promise<OperationReply> {
  const signed = signature === undefined ? {} : { 'Reconcile-Signature': signature }
  return postJson(endpoint, body, { ...TUS, 'Content-Type': PEER, ...signed })
}
