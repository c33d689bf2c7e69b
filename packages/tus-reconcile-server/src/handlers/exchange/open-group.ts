import { Metadata as TusMetadata } from '@tus/utils'
import type { PartitionHeader } from 'tus-reconcile-protocol'
import type { Group } from '../../groups/group.js'
import type { GroupFacts, Metadata } from '../../groups/group-facts.js'
import { Refusal } from '../../groups/refusal.js'
import type { OpenRequest } from '../../peers/peers.js'
import type { TusRequest } from '../../tus-request.js'
import { runCreate, runIncoming } from './hooks.js'
import { scopeOf } from './scope.js'
import type { Site } from './site.js'

/** The group of a creation. Its first session opens it: at the home the user is asked, a mirror asks the home. */
export async function openGroup(site: Site, req: TusRequest, header: PartitionHeader): Promise<Group> {
  const metadata = readMetadata(req)
  refuseAny(site, header)
  let asked = false
  const group = await site.groups.open(header.group, async () => {
    asked = true
    return header.home === site.storeId
      ? factsAtHome(site, { header, metadata, req })
      : factsAtMirror(site, { header, metadata, req })
  })
  if (!asked) await passGate(site, req, group)
  if (!group.isHome(header.home)) throw new Refusal('contradiction', `this upload's home is ${group.home}`)
  refuseOtherMove(group, header)
  group.url ??= group.home === site.storeId ? fileUrl(site, req, group.fileId) : null
  return group
}

/** A request of a group that is known: the user's gate, then whoever can use what the client has sent. */
export async function passGate(site: Site, req: TusRequest, group: Group): Promise<void> {
  await runIncoming(site, req, group.fileId)
  site.peers.clientSeen(group, req)
}

async function factsAtHome(site: Site, request: OpenRequest): Promise<GroupFacts> {
  const { header, req } = request
  const created = await create(site, request)
  const scope = await scopeOf(site, req)
  return { ...factsOf(header), ...created, scope, url: fileUrl(site, req, created.fileId), opened: true }
}

async function factsAtMirror(site: Site, request: OpenRequest): Promise<GroupFacts> {
  const { header, req, metadata } = request
  await runIncoming(site, req, header.group)
  const scope = await scopeOf(site, req)
  const home = await site.peers.openAtHome(request)
  if (home) return { ...factsOf(header), ...home, scope, opened: true }
  // the home cannot be reached: bytes are taken all the same, and the home is asked again and again
  return { ...factsOf(header), scope, fileId: header.group, url: null, maxSize: null, metadata, opened: false }
}

/** A group that a mirror opens here, at its home: the client has passed the mirror's gate, and passes this one too. */
export async function openForMirror(site: Site, request: OpenRequest, endpoint: string): Promise<Group> {
  const { header, req } = request
  refuseAny(site, header)
  let asked = false
  const group = await site.groups.open(header.group, async () => {
    asked = true
    const created = await create(site, request, endpoint)
    const scope = await scopeOf(site, req)
    return { ...factsOf(header), ...created, scope, url: fileUrl(site, req, created.fileId, endpoint), opened: true }
  })
  if (!asked) await runIncoming(site, req, group.fileId)
  refuseOtherMove(group, header)
  return group
}

function refuseAny(site: Site, header: PartitionHeader): void {
  if (!header.any || site.commitAt === 'any') return
  throw new Refusal('bad-request', 'this server commits files at their home alone: leave out any')
}

function refuseOtherMove(group: Group, header: PartitionHeader): void {
  if ((group.homeMove !== null) === (header.any ?? false)) return
  throw new Refusal('contradiction', `any is the same at each creation of an upload, here ${group.homeMove !== null}`)
}

/** A store that has become the home of a group which no home has ever opened: the user is asked here now. */
export async function openAtNewHome(site: Site, group: Group, req: TusRequest): Promise<void> {
  const [first] = group.sessions.values()
  if (group.opened || !first) return
  const { partition, attempt, client, start } = first
  const ids = { group: group.id, session: first.id, partition, client, home: group.home }
  const header = { ...ids, attempt, start, ...(group.size === null ? {} : { size: group.size }) }
  const facts = await create(site, { header, metadata: group.metadata, req })
  await group.queue.run(() => {
    group.opened = true
    group.maxSize = facts.maxSize
    group.metadata = facts.metadata
    site.groups.nameFile(group, facts.fileId)
  })
  await group.save()
}

/** The user's consent to a file that is new, and has a name that nothing else has. */
function create(site: Site, request: OpenRequest, endpoint?: string): ReturnType<typeof runCreate> {
  const { header, req } = request
  return runCreate(site, request, async (fileId) => {
    await runIncoming(site, req, fileId)
    if (!(await site.store.holds(fileId))) return
    if (fileId !== header.group) throw new Refusal('contradiction', 'there is a file of that name already')
    // its tombstone has been forgotten, the file has not
    const headers = { 'Reconcile-State': 'committed', 'Reconcile-Upload': fileUrl(site, req, fileId, endpoint) }
    throw new Refusal('group-ended', 'this upload is committed', { headers })
  })
}

function factsOf(header: PartitionHeader): Pick<GroupFacts, 'id' | 'home' | 'size' | 'homeMove'> {
  const homeMove = header.any ? { from: null } : null
  return { id: header.group, home: header.home, size: header.size ?? null, homeMove }
}

/**
 * The file's URL as the client should see it. A server does not know its own public URL: it is the request's, or for
 * a request through a peer the `endpoint` that this peer has listed.
 */
export function fileUrl(site: Site, req: TusRequest, fileId: string, endpoint?: string): string {
  if (endpoint === undefined || site.server.options.generateUrl) {
    return site.server.handlers.POST.generateUrl(req, fileId)
  }
  return `${endpoint.replace(/\/$/, '')}/${fileId}`
}

function readMetadata(req: TusRequest): Metadata | null {
  const text = req.headers.get('upload-metadata')
  return text === null ? null : TusMetadata.parse(text)
}
