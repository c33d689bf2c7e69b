import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ByteRange } from 'tus-reconcile-protocol'
import { rangeLength } from 'tus-reconcile-protocol'
import type { Source } from '../orchestration/ports.js'
import { toError, UploadError } from '../orchestration/upload-error.js'
import { openJournalFile } from './file-journal.js'
import { pathFrom } from './path-node.js'
import type { Platform } from './platform.js'

export const platform: Platform = {
  openPath,
  openJournalFile,
  defaultJournal: () => undefined,
  page: { watch: () => () => {}, isSavingData: () => false },
  openTurns: () => undefined,
  pathFrom,
  openConnections: () => ({ most: () => Number.POSITIVE_INFINITY, areMultiplexed: () => false }),
}

async function openPath(path: string): Promise<Source> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new UploadError('source-unreadable', `${path} cannot be read (${toError(cause).message})`, { cause })
  })
  const before = await file.stat()
  if (!before.isFile()) {
    await file.close()
    throw new UploadError('source-unreadable', `${path} is no ordinary file`)
  }
  const sizeBytes = before.size
  const refuseChange = async () => {
    const now = await stat(path).catch(() => undefined)
    if (now?.size !== sizeBytes || now.mtimeMs !== before.mtimeMs) {
      throw new UploadError('source-changed', `${path} changed while it was uploaded: upload it again`)
    }
  }
  return {
    sizeBytes,
    contentType: undefined,
    fingerprint: `path:${resolve(path)}`,
    modifiedAt: before.mtimeMs,
    body: async (range) => {
      await refuseChange()
      // the stack reads the length from `size`; without it the body would go out chunked (TOOLCHAIN)
      return Object.assign(createReadStream(path, { start: range.start, end: range.end - 1 }), {
        size: rangeLength(range),
      })
    },
    read: async (range) => {
      await refuseChange()
      return readRange(file, path, range)
    },
    close: () => file.close(),
  }
}

async function readRange(file: Awaited<ReturnType<typeof open>>, path: string, range: ByteRange): Promise<Uint8Array> {
  const bytes = new Uint8Array(rangeLength(range))
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, range.start + filled)
    if (bytesRead === 0)
      throw new UploadError('source-changed', `${path} became shorter while it was uploaded: upload it again`)
    filled += bytesRead
  }
  return bytes
}
