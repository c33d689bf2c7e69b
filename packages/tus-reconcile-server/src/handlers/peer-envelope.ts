import { requestBody } from '../bodies/request-body.js'
import { Refusal } from '../groups/refusal.js'
import { type PeerMessage, parsePeerMessage } from '../peers/peer-messages.js'
import {
  SIGNATURE_HEADER,
  type SignatureFault,
  type SignatureVerifier,
  signAnswer,
  type Trust,
  type Verified,
} from '../peers/signature.js'
import { asRefusal, jsonAnswer, refusalAnswer } from './exchange/answer.js'
import { readMessage } from './exchange/read-message.js'
import type { Exchange, Site } from './exchange/site.js'
import { answerPeer, BYTES_CONTENT_TYPE } from './peer-message.js'

/** A relayed operation, and what it is wrapped in. */
const MAX_MESSAGE_BYTES = 2_097_152

/** A message of another server: signed, or refused before anything of it is looked at. */
export async function postPeerMessage(site: Site, exchange: Exchange, verifier: SignatureVerifier): Promise<Response> {
  const body = requestBody(exchange.req)
  let trust: Trust | undefined
  let op: PeerMessage['op'] | undefined
  try {
    const text = await readMessage(body, { bytes: MAX_MESSAGE_BYTES, ms: site.bounds.messageTimeoutMs })
    const verified = checkSignature(site, exchange, { verifier, text })
    trust = verified
    const message = parsePeerMessage(text)
    op = message.op
    if (message.op === 'hello') return await signedAnswer(hello(site, exchange, verifier.run), trust)
    if (verified.isForAnybody) throw new Refusal('not-signed', 'only `hello` is signed for anybody')
    return await signedAnswer(await answerPeer(site, exchange, message), trust)
  } catch (error) {
    const refusal = asRefusal(site, error)
    logRefusal(site, refusal, op)
    const refused = await refusalAnswer(site, exchange, { refusal, body })
    return trust ? signedAnswer(refused, trust) : refused
  }
}

/**
 * What is usual is no warning: a group may be gone, a server that was restarted hears of its last run once, and what a
 * peer asks for a client may be refused to that client.
 */
function logRefusal(site: Site, { code, message: reason }: Refusal, op: PeerMessage['op'] | undefined): void {
  if (code === 'unknown-group') return
  if (op === 'open' || op === 'relay') return site.log.info({ op, code }, "refused to a peer's client")
  site.log[code === 'other-run' ? 'info' : 'warn']({ code, reason }, 'peer refused')
}

/** Every answer but a file's bytes, which the sender checks by their digests. */
async function signedAnswer(answer: Response, trust: Trust): Promise<Response> {
  if (answer.headers.get('content-type') === BYTES_CONTENT_TYPE) return answer
  const { status, headers } = answer
  const body = await answer.text()
  headers.set(SIGNATURE_HEADER, signAnswer(trust, { status, retryAfter: headers.get('retry-after'), body }))
  return new Response(body, { status, headers })
}

function checkSignature(
  site: Site,
  exchange: Exchange,
  signed: { readonly verifier: SignatureVerifier; readonly text: string },
): Verified {
  const { req } = exchange
  const header = req.headers.get(SIGNATURE_HEADER)
  let fault: SignatureFault | undefined
  // behind a mount that strips its prefix the path is another than the peer has called
  for (const path of new Set([new URL(req.url).pathname, site.server.options.path])) {
    const called = { method: 'POST', path, body: signed.text }
    const outcome = signed.verifier.check(header, called, { storeId: site.storeId, nowMs: Date.now() })
    if ('secret' in outcome) return outcome
    fault ??= outcome
  }
  throw new Refusal(fault?.code ?? 'not-signed', fault?.reason ?? 'a peer signs its messages')
}

/** It may be a repeat of what another server was sent: it starts greetings that are due anyhow, and tells no secret. */
function hello(site: Site, exchange: Exchange, run: string): Response {
  site.peers.greetUnknown()
  return jsonAnswer(site, exchange, { status: 200, json: JSON.stringify({ storeId: site.storeId, run }) })
}
