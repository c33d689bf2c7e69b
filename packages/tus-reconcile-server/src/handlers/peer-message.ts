import {
  BLOCK_SIZE,
  coversRange,
  HEADER,
  ProtocolError,
  parseOperation,
  parsePartitionHeader,
  toRangeSet,
} from 'tus-reconcile-protocol'
import { endGroup } from '../groups/ending.js'
import { Group } from '../groups/group.js'
import { Refusal } from '../groups/refusal.js'
import { noteElsewhere, reportBlocks } from '../groups/verification.js'
import { clientRequest } from '../peers/client-request.js'
import type { AddressedMessage, PeerMessageOf } from '../peers/peer-messages.js'
import { answerHeaders, jsonAnswer } from './exchange/answer.js'
import { runIncoming } from './exchange/hooks.js'
import { openForMirror } from './exchange/open-group.js'
import type { Exchange, Site } from './exchange/site.js'
import { isForStore, runOperation } from './operations/operations.js'

/** Of a file whose size is not known yet (guess): what a peer says of it stays within memory. */
const MAX_FILE_BYTES = 2 ** 44
const PIECE_BYTES = 262_144
export const BYTES_CONTENT_TYPE = 'application/octet-stream'

/** What is answered to a message that is signed for this run. */
export async function answerPeer(site: Site, exchange: Exchange, message: AddressedMessage): Promise<Response> {
  switch (message.op) {
    case 'open':
      return open(site, exchange, message)
    case 'verified':
      return verified(site, exchange, message)
    case 'report': {
      const leaves = groupOf(site, message.group).blocks.verifiedLeaves()
      return ok(site, exchange, { blocks: Array.from(leaves, ([index, leaf]) => ({ index, leaf })) })
    }
    case 'superseded':
      return superseded(site, exchange, message)
    case 'ended': {
      const group = groupOf(site, message.group)
      refuseOthers(site, group, message.from)
      group.toTell.delete(message.from)
      await endGroup(group, message.state, message.url)
      return ok(site, exchange, {})
    }
    case 'vote':
      if (site.commitAt !== 'any') throw new Refusal('contradiction', 'files are committed at their home alone here')
      return ok(site, exchange, await site.peers.vote(message))
    case 'moved': {
      const group = groupOf(site, message.group)
      if (group.hasEnded) return ended(site, exchange, group)
      await site.peers.moveHome(group, message.from)
      return ok(site, exchange, {})
    }
    case 'read':
      return read(site, exchange, message)
    case 'relay':
      return relayed(site, exchange, message)
  }
}

async function verified(site: Site, exchange: Exchange, message: PeerMessageOf<'verified'>): Promise<Response> {
  const group = groupOf(site, message.group)
  if (group.home !== site.storeId) throw new Refusal('contradiction', 'what is verified is told to the home')
  if (group.hasEnded) return ended(site, exchange, group)
  for (const { index } of message.blocks) refuseBeyond(group, index * BLOCK_SIZE + 1)
  group.participants.add(message.from)
  await reportBlocks(group, message.from, message.blocks)
  return ok(site, exchange, {})
}

async function superseded(site: Site, exchange: Exchange, message: PeerMessageOf<'superseded'>): Promise<Response> {
  const group = groupOf(site, message.group)
  refuseOthers(site, group, message.from)
  for (const { end } of message.verified) refuseBeyond(group, end)
  if (!group.hasEnded) await noteElsewhere(group, toRangeSet(message.verified))
  return ok(site, exchange, {})
}

async function open(site: Site, exchange: Exchange, message: PeerMessageOf<'open'>): Promise<Response> {
  const header = readHeader(message.partition)
  if (header.home !== site.storeId) throw new Refusal('contradiction', 'this store is not the home of that upload')
  const req = clientRequest(message.endpoint, message.headers)
  const request = { header, metadata: message.metadata, req }
  const group = await openForMirror(site, request, message.endpoint).catch(committedLongAgo)
  if (!(group instanceof Group)) return jsonAnswer(site, exchange, { status: 410, json: JSON.stringify(group) })
  if (group.hasEnded) return ended(site, exchange, group)
  group.participants.add(message.from)
  await group.save()
  const { fileId, url, maxSize, metadata } = group
  return ok(site, exchange, { fileId, url, maxSize, metadata })
}

/** The file of a forgotten group is told like any ended group's. */
function committedLongAgo(error: unknown): { state: string; url: string | null } {
  if (!(error instanceof Refusal) || error.code !== 'group-ended') throw error
  return { state: 'committed', url: error.headers['Reconcile-Upload'] ?? null }
}

function readHeader(text: string): ReturnType<typeof parsePartitionHeader> {
  try {
    return parsePartitionHeader(text)
  } catch (error) {
    if (error instanceof ProtocolError) throw new Refusal('bad-request', error.message, { cause: error })
    throw error
  }
}

/** Only what is verified here is ever handed to another server. */
function read(site: Site, exchange: Exchange, message: PeerMessageOf<'read'>): Response {
  const { start, end } = message
  const group = groupOf(site, message.group)
  if (group.hasEnded) return ended(site, exchange, group)
  const verified = group.blocks.verifiedHere(group.size ?? Math.max(end, start + BLOCK_SIZE))
  if (end <= start || !coversRange(verified, { start, end })) {
    throw new Refusal('unknown-group', 'that range is not verified here')
  }
  const headers = answerHeaders(site, exchange, {
    'Content-Type': BYTES_CONTENT_TYPE,
    'Content-Length': end - start,
    'Cache-Control': 'no-store',
  })
  return new Response(pieces(group, start, end), { status: 200, headers })
}

function pieces(group: Group, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start
  return new ReadableStream(
    {
      async pull(controller) {
        const bytes = await group.file.read(at, Math.min(PIECE_BYTES, end - at))
        if (bytes.length === 0) throw new Error('the group ended while it was read')
        at += bytes.length
        controller.enqueue(bytes)
        if (at >= end) controller.close()
      },
    },
    { highWaterMark: 1 },
  )
}

/** Runs here or nowhere: what was relayed is never relayed again, so it cannot go round. */
async function relayed(site: Site, exchange: Exchange, message: PeerMessageOf<'relay'>): Promise<Response> {
  const operation = readOperation(message.operation)
  if (operation.op === 'events') throw new Refusal('bad-request', 'events are not relayed')
  if (!isForStore(site, operation)) throw new Refusal('unknown-store', `${HEADER.storeId} of this server is another`)
  const req = clientRequest(message.endpoint, message.headers)
  await runIncoming(site, req, site.groups.get(operation.group)?.fileId ?? '')
  return jsonAnswer(site, exchange, await runOperation(site, operation, { req, endpoint: message.endpoint }))
}

function readOperation(json: unknown): ReturnType<typeof parseOperation> {
  try {
    return parseOperation(json)
  } catch (error) {
    if (error instanceof ProtocolError) throw new Refusal('bad-request', error.message, { cause: error })
    throw error
  }
}

function refuseOthers(site: Site, group: Group, from: string): void {
  if (from === group.home && group.home !== site.storeId) return
  throw new Refusal('contradiction', 'only its home says how an upload stands, or has ended')
}

function refuseBeyond(group: Group, end: number): void {
  const most = group.size ?? group.maxSize ?? MAX_FILE_BYTES
  if (end > most) throw new Refusal('bad-request', `that lies beyond the file's ${most} bytes`)
}

function groupOf(site: Site, id: string): Group {
  const group = site.groups.get(id)
  if (!group) throw new Refusal('unknown-group', 'no upload of this name is known here')
  return group
}

function ok(site: Site, exchange: Exchange, json: object): Response {
  return jsonAnswer(site, exchange, { status: 200, json: JSON.stringify(json) })
}

function ended(site: Site, exchange: Exchange, group: Group): Response {
  const url = group.state === 'committed' ? group.url : null
  return jsonAnswer(site, exchange, { status: 410, json: JSON.stringify({ state: group.state, url }) })
}
