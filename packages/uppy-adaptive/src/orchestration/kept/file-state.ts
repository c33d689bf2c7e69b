import { blockCount, blockRange, encodeDigest } from 'tus-reconcile-protocol'
import type { Digester, Source } from '../ports.js'
import { UploadError } from '../upload-error.js'

/** What a file was when its upload began. */
export interface FileState {
  readonly sizeBytes: number
  /** Of its last change, ms since 1970, where the source tells. */
  readonly modifiedAt?: number | undefined
  /** Digest of some of its blocks, as text. */
  readonly mark: string
}

/** Blocks that a mark is made of: the first, the last, and evenly between; 2 MiB take some milliseconds to read (guess). */
const MARKED_BLOCKS = 8

/** @throws UploadError `source-unreadable`, `source-changed` */
export async function readFileState(source: Source, digester: Digester): Promise<FileState> {
  const { sizeBytes, modifiedAt } = source
  const indices = markedBlocks(blockCount(sizeBytes))
  const digests = new Uint8Array(32 * indices.length)
  for (const [i, index] of indices.entries())
    digests.set(await digester.digest(await source.read(blockRange(index, sizeBytes))), 32 * i)
  const mark = encodeDigest(await digester.digest(digests))
  return { sizeBytes, mark, ...(modifiedAt === undefined ? {} : { modifiedAt }) }
}

/**
 * @param o.isTrusting nobody compares the bytes later, so that another time of change is enough
 * @throws UploadError `source-changed` where the file is not what its upload began with
 */
export function refuseChange(was: FileState, is: FileState, o: { isTrusting: boolean }): void {
  const change = describeChange(was, is, o.isTrusting)
  if (change === undefined) return
  const message = `the file is not what its unfinished upload began with (${change}): that upload is ended; start again to upload the file as it is now`
  throw new UploadError('source-changed', message)
}

function describeChange(was: FileState, is: FileState, isTrusting: boolean): string | undefined {
  if (was.sizeBytes !== is.sizeBytes) return `it has ${is.sizeBytes} bytes and had ${was.sizeBytes}`
  if (was.mark !== is.mark) return 'its content is another'
  const [before, after] = [was.modifiedAt, is.modifiedAt]
  if (isTrusting && before !== undefined && after !== undefined && before !== after)
    return `it was changed ${Math.round(Math.abs(after - before) / 1000)} s ${after > before ? 'later' : 'earlier'}`
  return undefined
}

function markedBlocks(count: number): number[] {
  if (count <= MARKED_BLOCKS) return Array.from({ length: count }, (_, index) => index)
  return Array.from({ length: MARKED_BLOCKS }, (_, i) => Math.round((i * (count - 1)) / (MARKED_BLOCKS - 1)))
}
