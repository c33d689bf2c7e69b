import type { ByteRange } from 'tus-reconcile-protocol'
import { platform } from '#platform'
import type { Source } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import { canReadPieces, readPieces } from './blob-pieces.js'
import type { StreamInput } from './stream-source.js'

/** What has a size, and can be read again. */
export type StoredInput = Blob | Uint8Array | { readonly path: string }

/** What can be uploaded: a Blob or File, bytes, in Node a path, or a stream of bytes whose size nobody knows yet. */
export type SourceInput = StoredInput | StreamInput

/** @throws UploadError `bad-source` or `source-unreadable` */
export async function openSource(input: StoredInput): Promise<Source> {
  if (typeof Blob !== 'undefined' && input instanceof Blob) return openBlob(input)
  if (input instanceof Uint8Array) return openBytes(input)
  if (typeof input === 'object' && input !== null && 'path' in input && typeof input.path === 'string')
    return platform.openPath(input.path)
  throw new UploadError(
    'bad-source',
    `cannot upload ${describe(input)}: give a File, a Blob, a Uint8Array, { path } or a stream of bytes`,
  )
}

function openBlob(blob: Blob): Source {
  const file = typeof File !== 'undefined' && blob instanceof File ? blob : undefined
  const refusal = (cause: unknown) => {
    const message = `${file?.name ?? 'the blob'} can no longer be read (${toError(cause).message}): it was changed, moved or removed; choose it again`
    return new UploadError('source-changed', message, { cause })
  }
  const read = async (range: ByteRange) => {
    try {
      return new Uint8Array(await blob.slice(range.start, range.end).arrayBuffer())
    } catch (cause) {
      throw refusal(cause)
    }
  }
  async function* pieces(range: ByteRange, pieceBytes: number): AsyncGenerator<Uint8Array> {
    try {
      yield* readPieces(blob.slice(range.start, range.end), pieceBytes)
    } catch (cause) {
      throw refusal(cause)
    }
  }
  return {
    sizeBytes: blob.size,
    contentType: blob.type || undefined,
    fingerprint: file && `file:${file.name}:${file.size}:${file.type}:${file.lastModified}`,
    modifiedAt: file?.lastModified,
    // XMLHttpRequest takes a Blob as it is; Node's stack takes bytes
    body: (range) => (typeof XMLHttpRequest === 'undefined' ? read(range) : blob.slice(range.start, range.end)),
    read,
    ...(canReadPieces() ? { pieces } : {}),
    close: async () => {},
  }
}

function openBytes(bytes: Uint8Array): Source {
  return {
    sizeBytes: bytes.length,
    contentType: undefined,
    fingerprint: undefined,
    body: (range) => bytes.subarray(range.start, range.end),
    read: async (range) => bytes.subarray(range.start, range.end),
    close: async () => {},
  }
}

function describe(input: unknown): string {
  return input === null ? 'null' : `a value of type ${typeof input}`
}
