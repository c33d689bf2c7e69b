import { missingRanges, toRangeSet, totalBytes } from 'tus-reconcile-protocol'
import type { MemoryServer } from '../../packages/uppy-adaptive/src/testing/memory-server.js'

/** Bytes of the file that any server has ever said to have, each counted once. */
export function toldBytes(servers: readonly MemoryServer[], sizeBytes: number): number {
  const told = servers.flatMap((server) =>
    [...server.groups.values()].flatMap((group) => [
      ...Array.from(group.sessions.values(), ({ start, recorded }) => ({ start, end: start + recorded })),
      ...(group.state === 'committed' ? [{ start: 0, end: sizeBytes }] : group.blocks.verifiedAnywhere),
    ]),
  )
  return sizeBytes - totalBytes(missingRanges(toRangeSet(told), sizeBytes))
}
