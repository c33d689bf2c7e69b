import { type ByteRange, MAX_ENTRIES } from 'tus-reconcile-protocol'
import * as v from 'valibot'
import { Refusal } from '../groups/refusal.js'
import type { Vote } from './ballot.js'
import type { Receiver } from './signature.js'

export const PEER_CONTENT_TYPE = 'application/tus-reconcile-peer+json'

interface FromPeer {
  /** The sender's Store-Id. */
  readonly from: string
}
interface OfGroup extends FromPeer {
  readonly group: string
}
type Metadata = Readonly<Record<string, string | null>> | null
/** A client's headers, for the user's hooks at the home. */
type HeaderList = readonly (readonly [string, string])[]

/** Who are you? */
interface HelloMessage extends FromPeer {
  readonly op: 'hello'
}
/** Mirror to home: may this group be? `partition` is the text of `Upload-Partition`, `endpoint` the home's public one. */
interface OpenMessage extends FromPeer {
  readonly op: 'open'
  readonly endpoint: string
  readonly partition: string
  readonly metadata: Metadata
  readonly headers: HeaderList
}
/** Mirror to home: these blocks are verified here. */
interface VerifiedMessage extends OfGroup {
  readonly op: 'verified'
  readonly blocks: readonly { readonly index: number; readonly leaf: string }[]
}
/** Home to peer, before it calls a file incomplete: what have you verified? Answered as `verified` says it. */
interface ReportMessage extends OfGroup {
  readonly op: 'report'
}
/** Home to peer: this much is verified somewhere. */
interface SupersededMessage extends OfGroup {
  readonly op: 'superseded'
  readonly verified: readonly ByteRange[]
}
/** Home to peer: the bytes of a range, all verified. */
interface ReadMessage extends OfGroup {
  readonly op: 'read'
  readonly start: number
  readonly end: number
}
/** How a group has ended; `committed`, `terminated` and `expired` of the protocol. */
interface EndedMessage extends OfGroup {
  readonly op: 'ended'
  readonly state: 'committed' | 'terminated' | 'expired'
  readonly url: string | null
}
/** A ballot on where a group is committed: `home` null asks for a promise, else to accept. */
interface VoteMessage extends OfGroup {
  readonly op: 'vote'
  readonly round: number
  readonly home: string | null
  /** How many servers vote, the sender's count. */
  readonly voters: number
}
/** The sender is the group's home now, by a majority's vote. */
interface MovedMessage extends OfGroup {
  readonly op: 'moved'
}
/** A client's operation for this store, which the client cannot reach. */
interface RelayMessage extends FromPeer {
  readonly op: 'relay'
  readonly endpoint: string
  readonly operation: unknown
  readonly headers: HeaderList
}
export type PeerMessage =
  | HelloMessage
  | OpenMessage
  | VerifiedMessage
  | ReportMessage
  | SupersededMessage
  | ReadMessage
  | EndedMessage
  | VoteMessage
  | MovedMessage
  | RelayMessage
/** What is said to a peer that is known. */
export type AddressedMessage = Exclude<PeerMessage, HelloMessage>
export type PeerMessageOf<Op extends PeerMessage['op']> = Extract<PeerMessage, { op: Op }>

interface OpenedAnswer {
  readonly fileId: string
  readonly url: string | null
  readonly maxSize: number | null
  readonly metadata: Metadata
}
export type EndedAnswer = Pick<EndedMessage, 'state' | 'url'>

const Id: v.GenericSchema<string> = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/))
const Leaf: v.GenericSchema<string> = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/))
const Offset: v.GenericSchema<number> = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const Url: v.GenericSchema<string> = v.pipe(v.string(), v.maxLength(4096))
/** An endpoint as a client may be told of it: no credentials, which no request can be made of either. */
const Endpoint: v.GenericSchema<string> = v.pipe(
  v.string(),
  v.maxLength(4096),
  v.check((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return /^https?:$/.test(url?.protocol ?? '') && url?.username === '' && url.password === ''
  }, 'an http(s) URL without credentials'),
)
/** RFC 9110: a token, and visible characters, spaces and tabs (bytes above ASCII as Node reads them). */
const HeaderEntry = v.tuple([
  v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/)),
  v.pipe(v.string(), v.regex(/^[\t\x20-\x7e\x80-\xff]*$/)),
])
const Headers: v.GenericSchema<[string, string][]> = v.pipe(v.array(HeaderEntry), v.maxLength(200))
const MetadataSchema: v.GenericSchema<Record<string, string | null> | null> = v.nullable(
  v.record(v.string(), v.nullable(v.string())),
)
const from = { from: Id }
const member = { from: Id, group: Id }

const Message: v.GenericSchema<unknown, PeerMessage> = v.variant('op', [
  v.object({ op: v.literal('hello'), ...from }),
  v.object({
    op: v.literal('open'),
    ...from,
    endpoint: Endpoint,
    partition: v.pipe(v.string(), v.maxLength(2048)),
    metadata: MetadataSchema,
    headers: Headers,
  }),
  v.object({
    op: v.literal('verified'),
    ...member,
    blocks: v.pipe(v.array(v.object({ index: Offset, leaf: Leaf })), v.maxLength(MAX_ENTRIES)),
  }),
  v.object({ op: v.literal('report'), ...member }),
  v.object({ op: v.literal('superseded'), ...member, verified: v.array(v.object({ start: Offset, end: Offset })) }),
  v.object({ op: v.literal('read'), ...member, start: Offset, end: Offset }),
  v.object({
    op: v.literal('ended'),
    ...member,
    state: v.picklist(['committed', 'terminated', 'expired']),
    url: v.nullable(Url),
  }),
  v.object({ op: v.literal('vote'), ...member, round: Offset, home: v.nullable(Id), voters: Offset }),
  v.object({ op: v.literal('moved'), ...member }),
  v.object({ op: v.literal('relay'), ...from, endpoint: Endpoint, operation: v.unknown(), headers: Headers }),
])

const Hello: v.GenericSchema<Receiver> = v.object({ storeId: Id, run: Id })
const Opened: v.GenericSchema<OpenedAnswer> = v.object({
  fileId: v.string(),
  url: v.nullable(v.string()),
  maxSize: v.nullable(Offset),
  metadata: MetadataSchema,
})
const Reported: v.GenericSchema<{ blocks: VerifiedMessage['blocks'] }> = v.object({
  blocks: v.array(v.object({ index: Offset, leaf: Leaf })),
})
const Ended: v.GenericSchema<EndedAnswer> = v.object({
  state: v.picklist(['committed', 'terminated', 'expired']),
  url: v.nullable(v.string()),
})
const BallotSchema = v.object({ round: Offset, store: Id })
const Voted: v.GenericSchema<unknown, Vote & { readonly taken: boolean }> = v.object({
  taken: v.boolean(),
  promised: v.nullable(BallotSchema),
  accepted: v.nullable(v.object({ ballot: BallotSchema, home: Id })),
})
const Failure: v.GenericSchema<{ error: { code: string; message: string } }> = v.object({
  error: v.object({ code: v.string(), message: v.string() }),
})

const NO_FAILURE = { code: '', message: 'the home refused' }

/** @throws Refusal `bad-request` that says where it is wrong. */
export function parsePeerMessage(text: string): PeerMessage {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new Refusal('bad-request', 'the message is no JSON', { cause })
  }
  const result = v.safeParse(Message, json)
  if (result.success) return result.output
  const issue = result.issues[0]
  throw new Refusal('bad-request', `${v.getDotPath(issue) ?? 'message'}: ${issue.message}`)
}

export function parseHello(text: string): Receiver {
  return v.parse(Hello, JSON.parse(text))
}

export function parseOpened(text: string): OpenedAnswer {
  return v.parse(Opened, JSON.parse(text))
}

export function parseReported(text: string): VerifiedMessage['blocks'] {
  return v.parse(Reported, JSON.parse(text)).blocks
}

export function parseVote(text: string): Vote & { readonly taken: boolean } {
  return v.parse(Voted, JSON.parse(text))
}

/** How a group has ended, if that is what a 410 says. */
export function parseEnded(text: string): EndedAnswer | undefined {
  try {
    const result = v.safeParse(Ended, JSON.parse(text))
    return result.success ? result.output : undefined
  } catch {
    return undefined
  }
}

/** A refusal, whose sentence can be handed on. */
export function parseFailure(text: string): { readonly code: string; readonly message: string } {
  try {
    const result = v.safeParse(Failure, JSON.parse(text))
    return result.success ? result.output.error : NO_FAILURE
  } catch {
    return NO_FAILURE
  }
}
