import type { CommitAnswer, CommitRequest } from 'tus-reconcile-protocol'
import { formatMessage } from 'tus-reconcile-protocol'
import { askCommit, checkRoot, commitGroup, type Readiness, readiness, recordHook } from '../groups/ending.js'
import type { Group } from '../groups/group.js'
import { Refusal } from '../groups/refusal.js'
import { refuseEnded } from '../groups/sessions.js'
import { runFinish, uploadOfGroup } from './hooks.js'
import { fileUrl } from './open-group.js'
import type { OperationOrigin, OperationResult, Site } from './site.js'

/** How long an answer is held for pulls that are running: most end within it. */
const HOLD_MS = 500

interface CommitCall {
  readonly operation: CommitRequest
  readonly origin: OperationOrigin
}

const running = new WeakMap<Group, Promise<OperationResult>>()

/** Makes the whole file. One at a time per group; a second call gets what the first one made. */
export async function commit(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const before = running.get(group)
  if (before) await before.catch(() => {})
  const now = commitOnce(site, group, call)
  running.set(group, now)
  try {
    return await now
  } finally {
    if (running.get(group) === now) running.delete(group)
  }
}

async function commitOnce(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const { operation, origin } = call
  if (group.state === 'committed') return repeated(site, group, call)
  refuseEnded(group)
  if (group.home !== site.storeId) throw new Refusal('unknown-group', 'this upload has another home')
  await group.queue.run(() => askCommit(group, operation.size, operation.root))
  const ready = await untilReady(site, group)
  if (ready.kind !== 'ready') return notYet(site, group, ready)
  await checkRoot(group, operation.root)
  group.url ??= fileUrl(site, origin.req, group.fileId, origin.endpoint)
  await group.queue.run(() => commitGroup(group, () => finalise(site, group)))
  site.log.info(
    { group: group.id, size: group.size, pulledEarly: group.pulledEarly, pulledAtCommit: group.pulledAtCommit },
    'group committed',
  )
  group.notify({ kind: 'groupEnded', group, state: 'committed' })
  return { ...(await finish(site, group, call)), status: 201 }
}

/** After a crash in mid-commit: everything was checked before, so the commit is simply ended. */
export async function recoverCommits(site: Site): Promise<void> {
  for (const group of site.groups.all()) {
    if (group.state !== 'committing') continue
    try {
      await group.queue.run(() => commitGroup(group, () => finalise(site, group)))
      site.log.info({ group: group.id, size: group.size }, 'group committed after a crash')
      group.notify({ kind: 'groupEnded', group, state: 'committed' })
    } catch (err) {
      site.log.error({ group: group.id, err }, 'group is open again: its commit could not be ended')
    }
  }
}

async function untilReady(site: Site, group: Group): Promise<Readiness> {
  const look = () => readiness(group, (store) => site.peers.isReachable(store))
  let ready = look()
  if (ready.kind === 'incomplete') {
    await site.peers.refresh(group)
    ready = look()
  }
  if (ready.kind !== 'pulling') return ready
  await site.peers.untilPulled(group, HOLD_MS)
  return look()
}

function notYet(site: Site, group: Group, ready: Exclude<Readiness, { kind: 'ready' }>): OperationResult {
  if (ready.kind === 'pulling') {
    site.log.info({ group: group.id, missingBytes: ready.missingBytes }, 'commit waits for pulls')
    const answer: CommitAnswer = { state: 'pulling', missingBytes: ready.missingBytes }
    return { status: 202, json: formatMessage(answer), headers: { 'Retry-After': '1' } }
  }
  site.log.info({ group: group.id, missing: ready.missing.length, bad: ready.bad.length }, 'commit incomplete')
  return { status: 409, json: formatMessage({ state: 'incomplete', missing: ready.missing, bad: ready.bad }) }
}

async function finalise(site: Site, group: Group): Promise<void> {
  await group.file.idle()
  await site.store.finalise(site.store.backend.open(group.id), uploadOfGroup(group))
}

async function repeated(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const { operation } = call
  const differs = group.commit && (group.commit.size !== operation.size || group.commit.root !== operation.root)
  if (differs) throw new Refusal('contradiction', 'this upload was committed with another size or root')
  return finish(site, group, call)
}

/** The user's finish hook, once; its refusal is told each time. After a crash before its end it runs again. */
async function finish(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const headers: Record<string, string> = {}
  if (group.commit?.hook === 'pending') {
    try {
      const upload = await site.store.getUpload(group.fileId)
      Object.assign(headers, await runFinish(site, call.origin.req, upload))
      await recordHook(group, 'done', null)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      await recordHook(group, 'refused', { status: error.status ?? 500, body: error.message })
    }
  }
  const refusal = group.commit?.refusal
  if (refusal) throw new Refusal('refused-by-hook', refusal.body, { status: refusal.status })
  const answer: CommitAnswer = {
    state: 'committed',
    url: group.url ?? fileUrl(site, call.origin.req, group.fileId, call.origin.endpoint),
    pulledAtCommit: group.pulledAtCommit,
    pulledEarly: group.pulledEarly,
  }
  return { status: 200, json: formatMessage(answer), headers }
}
