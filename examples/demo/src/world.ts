import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from 'reconcile-test-support/certificate'
import { LastMile, type Link, openLink } from 'reconcile-test-support/links/index'
import type { Cleanup } from './cleanup.js'
import { reservePorts } from './ports.js'
import { openTap } from './request-tap.js'
import { ServerProcess } from './servers.js'
import { WireWatch } from './wire-watch.js'
import { lastMileRates, type PathPlan, ratesOf, type WorldPlan } from './world-plan.js'

export interface WorldServer {
  readonly index: number
  readonly path: PathPlan
  readonly process: ServerProcess
  /** Between the page and the server. */
  readonly link: Link
  /** Where the page reaches it. */
  readonly endpoint: string
}

export interface World {
  readonly plan: WorldPlan
  readonly servers: readonly WorldServer[]
  readonly lastMile: LastMile
  readonly wire: WireWatch
  /** Calls back when the wires tell something new; the returned function ends that. */
  onWire(listener: () => void): () => void
  /** Every link and rate as it was at the start. */
  heal(): void
}

export interface WorldOptions {
  readonly plan: WorldPlan
  readonly directory: string
  /** For what is not worth keeping. */
  readonly temporary: string
  readonly seed: number
  /** The page speaks TLS, and HTTP/2 in it, to the servers; undefined: HTTP/1.1 in the clear. */
  readonly certificate: Certificate | undefined
  readonly cleanup: Cleanup
  readonly signal: AbortSignal
}

type Address = {
  readonly path: PathPlan
  readonly index: number
  readonly port: number
  readonly link: Link
  readonly internal: Link
}

/** Starts the servers, each behind a link for the page and one for its peers. What it began, `cleanup` ends. */
export async function openWorld(o: WorldOptions): Promise<World> {
  const { plan, cleanup } = o
  const listeners = new Set<() => void>()
  const wire = new WireWatch(() => {
    for (const listener of [...listeners]) listener()
  })
  const lastMile = new LastMile(lastMileRates(plan))
  const ports = await reservePorts(plan.paths.length)
  const addresses: Address[] = []
  for (const [index, path] of plan.paths.entries()) {
    addresses.push(await openAddress({ ...o, path, index, port: ports[index] ?? 0, lastMile, wire }))
  }
  const secretFile = join(o.temporary, 'secret')
  await writeFile(secretFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 })
  const servers = addresses.map((address) => createServer(address, { ...o, addresses, secretFile }))
  for (const server of servers) {
    await mkdir(server.process.directory, { recursive: true })
    cleanup.add(server.path.name, () => server.process.stop())
  }
  await Promise.all(servers.map((server) => server.process.start()))
  o.signal.throwIfAborted()
  const onWire = (listener: () => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  return { plan, servers, lastMile, wire, onWire, heal: () => heal(servers, lastMile, plan) }
}

async function openAddress(
  o: WorldOptions & { path: PathPlan; index: number; port: number; lastMile: LastMile; wire: WireWatch },
): Promise<Address> {
  const { path, index, port, plan, cleanup } = o
  const tap = await openTap(port, (head) => o.wire.follow(index, head))
  cleanup.add(`tap of ${path.name}`, () => tap.close())
  const link = await openLink({
    name: path.name,
    target: { host: '127.0.0.1', port: tap.port },
    ...ratesOf(path),
    delayMs: path.delayMs,
    lastMile: o.lastMile,
    seed: `${o.seed} ${path.name}`,
    ...(o.certificate === undefined ? {} : { tls: o.certificate }),
  })
  cleanup.add(`link of ${path.name}`, () => link.close())
  const internal = await openLink({
    name: `${path.name} for its peers`,
    target: { host: '127.0.0.1', port },
    upBytesPerSecond: plan.peerBytesPerSecond,
    downBytesPerSecond: plan.peerBytesPerSecond,
    delayMs: plan.peerDelayMs,
  })
  cleanup.add(`peer link of ${path.name}`, () => internal.close())
  return { path, index, port, link, internal }
}

function createServer(
  own: Address,
  o: Pick<WorldOptions, 'directory' | 'certificate'> & { addresses: readonly Address[]; secretFile: string },
): WorldServer {
  const { path, index, port, link } = own
  const peers = o.addresses.filter((other) => other !== own)
  const process = new ServerProcess({
    name: path.name,
    directory: join(o.directory, path.name.replace(' ', '-')),
    port,
    secretFile: o.secretFile,
    isBehindProxy: o.certificate !== undefined,
    peers: peers.map((other) => `${other.link.origin}/files,${other.internal.origin}/files`),
  })
  return { index, path, process, link, endpoint: `${link.origin}/files` }
}

function heal(servers: readonly WorldServer[], lastMile: LastMile, plan: WorldPlan): void {
  lastMile.set(lastMileRates(plan))
  lastMile.restore()
  for (const { link, path } of servers) {
    link.set(ratesOf(path))
    link.resume()
    link.restore()
  }
}
