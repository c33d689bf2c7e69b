import type { GroupOperationRequest, OperationName, OperationRequest } from 'tus-reconcile-protocol'
import { formatMessage, type OperationAnswers, ProtocolError, parseOperation } from 'tus-reconcile-protocol'
import { requestBody } from '../../bodies/request-body.js'
import type { Attaching } from '../../groups/attach.js'
import type { Group } from '../../groups/group.js'
import { Refusal } from '../../groups/refusal.js'
import type { LimitKeys } from '../../limits/quota.js'
import type { TusRequest } from '../../tus-request.js'
import { limitKeys } from '../exchange/admission.js'
import { asRefusal, jsonAnswer, refusalAnswer } from '../exchange/answer.js'
import { runIncoming } from '../exchange/hooks.js'
import { passGate } from '../exchange/open-group.js'
import { readMessage } from '../exchange/read-message.js'
import { commonScope } from '../exchange/scope.js'
import type { Exchange, OperationOrigin, OperationResult, Site } from '../exchange/site.js'
import { storeOfCommit } from './commit-elsewhere.js'
import { claim } from './op-claim.js'
import { commit } from './op-commit.js'
import { events } from './op-events.js'
import { have } from './op-have.js'
import { plan } from './op-plan.js'
import { status } from './op-status.js'
import { terminate } from './op-terminate.js'

/** A JSON operation, POSTed to the endpoint. */
export async function postOperation(site: Site, exchange: Exchange): Promise<Response> {
  const { req } = exchange
  const body = requestBody(req)
  let about: { readonly op?: OperationRequest['op']; readonly group?: string } = {}
  try {
    const most = { bytes: site.limits.messageBytes, ms: site.bounds.messageTimeoutMs }
    const operation = readOperation(await readMessage(body, most))
    about = operation.op === 'events' ? { op: 'events' } : { op: operation.op, group: operation.group }
    site.limits.admitOperation(keysOf(site, req, operation))
    if (operation.op === 'events') {
      await runIncoming(site, req, '')
      return events(site, exchange, operation)
    }
    const group = site.groups.get(operation.group)
    await (group ? passGate(site, req, group) : runIncoming(site, req, ''))
    const store = storeFor(site, operation, group)
    const result =
      store === site.storeId
        ? await runOperation(site, operation, { req })
        : await relayOr(site, { store, operation, req })
    return jsonAnswer(site, exchange, result)
  } catch (error) {
    const refusal = asRefusal(site, error)
    site.log.info({ ...about, code: refusal.code }, 'operation refused')
    return refusalAnswer(site, exchange, { refusal, body })
  }
}

function keysOf(site: Site, req: TusRequest, operation: OperationRequest): LimitKeys {
  const { client } = operation
  return limitKeys(site, req, operation.op === 'events' ? { client } : { client, group: operation.group })
}

/** Here, on this store. @throws Refusal */
export async function runOperation(
  site: Site,
  operation: GroupOperationRequest,
  origin: OperationOrigin,
): Promise<OperationResult> {
  const group = site.groups.get(operation.group)
  if (!group) throw new Refusal('unknown-group', 'no upload of this name is known here')
  switch (operation.op) {
    case 'status':
      return answered('status', status(group))
    case 'plan':
      return answered('plan', await plan(site, group, operation))
    case 'claim': {
      const answer = await claim(group, operation, await attaching(site, group, { operation, req: origin.req }))
      return answered('claim', answer, answer.conflict.length > 0 ? 409 : 200)
    }
    case 'have':
      return answered(
        'have',
        await have(group, operation, await attaching(site, group, { operation, req: origin.req })),
      )
    case 'commit':
      return commit(site, group, { operation, origin })
    case 'terminate':
      return answered('terminate', await terminate(site, group))
  }
}

async function attaching(
  site: Site,
  group: Group,
  { operation, req }: { readonly operation: GroupOperationRequest; readonly req: TusRequest },
): Promise<Attaching> {
  const keys = keysOf(site, req, operation)
  return {
    scope: await commonScope(site, req, group),
    count: (bytes) => site.limits.growByCopy(group, keys, bytes),
    uncount: (bytes) => site.limits.shrinkByCopy(group, bytes),
  }
}

function answered<Name extends OperationName>(
  _op: Name,
  answer: OperationAnswers[Name],
  status: number = 200,
): OperationResult {
  return { status, json: formatMessage(answer) }
}

function readOperation(text: string): OperationRequest {
  try {
    return parseOperation(JSON.parse(text))
  } catch (cause) {
    if (cause instanceof ProtocolError) throw new Refusal('bad-request', cause.message, { cause })
    throw new Refusal('bad-request', 'the message is no JSON', { cause })
  }
}

/** `commit` and `terminate` are the home's; the others are for the store they name, else the one that is asked. */
function storeFor(site: Site, operation: GroupOperationRequest, group: Group | undefined): string {
  const home = group?.home ?? operation.home
  if (operation.op === 'commit') return group?.hasEnded ? home : storeOfCommit(home, operation)
  if (operation.op === 'terminate') return home
  if (operation.store !== undefined) return operation.store
  return operation.op === 'status' && !group ? home : site.storeId
}

/** Whether a relayed operation has arrived where it belongs. */
export function isForStore(site: Site, operation: GroupOperationRequest): boolean {
  return storeFor(site, operation, site.groups.get(operation.group)) === site.storeId
}

/** Through this server to the store it is for. Where the home is away, what is known here must do. @throws Refusal */
export async function relayOr(
  site: Site,
  asked: { readonly store: string; readonly operation: GroupOperationRequest; readonly req: TusRequest },
): Promise<OperationResult> {
  const { operation, req } = asked
  try {
    return await relay(site, asked)
  } catch (error) {
    const group = site.groups.get(operation.group)
    const isAway = error instanceof Refusal && error.code === 'unreachable-store'
    if (!group || !isAway) throw error
    if (group.hasEnded && operation.op !== 'terminate') return runOperation(site, operation, { req })
    if (operation.op !== 'terminate') throw error
    site.peers.terminateLater(group, req)
    return runOperation(site, operation, { req })
  }
}

async function relay(
  site: Site,
  asked: { readonly store: string; readonly operation: GroupOperationRequest; readonly req: TusRequest },
): Promise<OperationResult> {
  const { store, operation, req } = asked
  const answer = await site.peers.relay(store, operation, req)
  site.log.info({ group: operation.group, op: operation.op, store, status: answer.status }, 'operation relayed')
  return {
    status: answer.status,
    json: answer.body,
    ...(answer.retryAfter === null ? {} : { headers: { 'Retry-After': answer.retryAfter } }),
  }
}
