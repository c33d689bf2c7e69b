import { Metadata as TusMetadata } from '@tus/utils'
import type { PartitionHeader } from 'tus-reconcile-protocol'
import type { Group, GroupFacts, Metadata } from '../groups/group.js'
import { Refusal } from '../groups/refusal.js'
import type { OpenRequest } from '../peers/peers.js'
import type { TusRequest } from '../tus-request.js'
import { runCreate, runIncoming } from './hooks.js'
import type { Site } from './site.js'

/** The group of a creation. Its first session opens it: at the home the user is asked, a mirror asks the home. */
export async function openGroup(site: Site, req: TusRequest, header: PartitionHeader): Promise<Group> {
  const metadata = readMetadata(req)
  let asked = false
  const group = await site.groups.open(header.group, async () => {
    asked = true
    return header.home === site.storeId
      ? factsAtHome(site, { header, metadata, req })
      : factsAtMirror(site, { header, metadata, req })
  })
  if (!asked) await runIncoming(site, req, group.fileId)
  if (group.home !== header.home) throw new Refusal('contradiction', `this upload's home is ${group.home}`)
  group.url ??= group.home === site.storeId ? fileUrl(site, req, group.fileId) : null
  return group
}

async function factsAtHome(site: Site, request: OpenRequest): Promise<GroupFacts> {
  const { header, req } = request
  const created = await runCreate(site, request, (fileId) => runIncoming(site, req, fileId))
  return { ...factsOf(header), ...created, url: fileUrl(site, req, created.fileId), opened: true }
}

async function factsAtMirror(site: Site, request: OpenRequest): Promise<GroupFacts> {
  const { header, req, metadata } = request
  await runIncoming(site, req, header.group)
  const home = await site.peers.openAtHome(request)
  if (home) return { ...factsOf(header), ...home, opened: true }
  // the home cannot be reached: bytes are taken all the same, and the home is asked again and again
  return { ...factsOf(header), fileId: header.group, url: null, maxSize: null, metadata, opened: false }
}

/** A group that a mirror opens here, at its home. */
export async function openForMirror(site: Site, request: OpenRequest, endpoint: string): Promise<Group> {
  const { header, req } = request
  const group = await site.groups.open(header.group, async () => {
    const created = await runCreate(site, request)
    return { ...factsOf(header), ...created, url: fileUrl(site, req, created.fileId, endpoint), opened: true }
  })
  return group
}

function factsOf(header: PartitionHeader): Pick<GroupFacts, 'id' | 'home' | 'size'> {
  return { id: header.group, home: header.home, size: header.size ?? null }
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
