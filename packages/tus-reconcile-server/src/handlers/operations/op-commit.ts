import type { CommitAnswer, CommitRequest } from 'tus-reconcile-protocol'
import { formatMessage } from 'tus-reconcile-protocol'
import {
  askCommit,
  checkRoot,
  commitGroup,
  type Readiness,
  readiness,
  recordHook,
  settleEnd,
} from '../../groups/ending.js'
import type { Group } from '../../groups/group.js'
import { GroupQueue } from '../../groups/group-queue.js'
import { Refusal } from '../../groups/refusal.js'
import { refuseEnded } from '../../groups/refuse-ended.js'
import { withdrawReports } from '../../groups/verification.js'
import { uploadOfGroup } from '../../store/upload-of.js'
import type { TusRequest } from '../../tus-request.js'
import { runFinish } from '../exchange/hooks.js'
import { fileUrl } from '../exchange/open-group.js'
import { reprDigest } from '../exchange/repr-digest.js'
import type { OperationOrigin, OperationResult, Site } from '../exchange/site.js'
import { becomeHome, confirmHome } from './commit-elsewhere.js'

/** How long an answer is held for pulls that are running: most end within it. */
const HOLD_MS = 500

interface CommitCall {
  readonly operation: CommitRequest
  readonly origin: OperationOrigin
}

/** Whoever commits waits for the last one of these: the finish hook of a group never overlaps itself. */
const commits = new WeakMap<Group, GroupQueue>()

function inTurn<T>(group: Group, task: () => Promise<T>): Promise<T> {
  const queue = commits.get(group) ?? new GroupQueue()
  commits.set(group, queue)
  return queue.run(task)
}

/** Makes the whole file. One at a time per group; a later call gets what the first one made. */
export function commit(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  return inTurn(group, () => commitOnce(site, group, call))
}

async function commitOnce(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const { operation, origin } = call
  await settleEnd(group)
  if (group.state === 'committed') return repeated(site, group, call)
  refuseEnded(group)
  if (group.home !== site.storeId) {
    await becomeHome(site, group, { elsewhere: operation.elsewhere ?? false, req: origin.req })
  }
  await group.queue.run(() => askCommit(group, operation.size, operation.root))
  const ready = await untilReady(site, group)
  // terminated or expired while it was waited for: nothing of its blocks is known any more
  refuseEnded(group)
  if (ready.kind === 'incomplete') {
    // who is told to send a block again may not be refused as redundant when doing so
    await withdrawReports(group, group.blocks.reports.stores(), ready.missing)
  }
  if (ready.kind !== 'ready') return notYet(site, group, ready)
  await checkRoot(group, operation.root)
  await confirmHome(site, group)
  group.url ??= fileUrl(site, origin.req, group.fileId, origin.endpoint)
  const sha256 = await site.flatDigests.take(group)
  const committed = await group.queue.run(() => {
    if (group.commit) group.commit = { ...group.commit, sha256 }
    return commitGroup(group, (isRepeat) => finalise(site, group, isRepeat))
  })
  // terminated or expired while it was looked at
  if (!committed) refuseEnded(group)
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
      await group.queue.run(() => commitGroup(group, (isRepeat) => finalise(site, group, isRepeat)))
      site.log.info({ group: group.id, size: group.size }, 'group committed after a crash')
      group.notify({ kind: 'groupEnded', group, state: 'committed' })
    } catch (err) {
      site.log.error({ group: group.id, err }, 'group is open again: its commit could not be ended')
    }
  }
}

/**
 * After a crash between a commit and the end of its finish hook: the hook runs now, whether a client asks again or not.
 * The client's request is not recorded, so that it gets one that has a URL, the file's, and no headers.
 */
export function recoverHooks(site: Site): void {
  for (const group of site.groups.all()) {
    if (group.state !== 'committed' || group.home !== site.storeId || group.commit?.hook !== 'pending') continue
    const url = URL.canParse(group.url ?? '') ? String(group.url) : `http://localhost/${group.fileId}`
    void inTurn(group, () => runHook(site, group, new Request(url, { method: 'POST' }))).then(
      () => site.log.info({ group: group.id, hook: group.commit?.hook }, 'finish hook run after a crash'),
      (err) => site.log.error({ group: group.id, err }, 'the finish hook of a committed group failed after a crash'),
    )
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

async function finalise(site: Site, group: Group, isRepeat: boolean): Promise<void> {
  await group.file.idle()
  try {
    const isShared = await site.wholeFiles.share(group, isRepeat)
    if (isShared) site.metrics.shared(group.knownSize)
    await site.store.finalise(site.store.backend.open(group.id), uploadOfGroup(group), isRepeat || isShared)
    await site.wholeFiles.remember(group)
  } catch (cause) {
    const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    if (isTaken) throw new Refusal('contradiction', 'there is a file of that name already', { cause })
    // the bytes may have become the file before it failed
    group.commitBegun = true
    throw cause
  }
}

async function repeated(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const { operation } = call
  const differs = group.commit && (group.commit.size !== operation.size || group.commit.root !== operation.root)
  if (differs) throw new Refusal('contradiction', 'this upload was committed with another size or root')
  return finish(site, group, call)
}

/** In turn: the user's finish hook, unless it has run. After a crash before its end it runs again. */
async function runHook(site: Site, group: Group, req: TusRequest): Promise<Record<string, string>> {
  if (group.commit?.hook !== 'pending') return {}
  const upload = await site.plain.getUpload(group.fileId)
  try {
    const headers = await runFinish(site, req, upload)
    await recordHook(group, 'done', null)
    return headers
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    await recordHook(group, 'refused', { status: error.status ?? 500, body: error.message })
    return {}
  }
}

/** What the client is told of a committed file; a refusal of the finish hook each time. */
async function finish(site: Site, group: Group, call: CommitCall): Promise<OperationResult> {
  const headers = await runHook(site, group, call.origin.req)
  const refusal = group.commit?.refusal
  if (refusal) throw new Refusal('refused-by-hook', refusal.body, { status: refusal.status })
  const answer: CommitAnswer = {
    state: 'committed',
    url: group.url ?? fileUrl(site, call.origin.req, group.fileId, call.origin.endpoint),
    pulledAtCommit: group.pulledAtCommit,
    pulledEarly: group.pulledEarly,
  }
  return { status: 200, json: formatMessage(answer), headers: { ...reprDigest(group), ...headers } }
}
