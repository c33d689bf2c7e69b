import type { UploadState } from 'tus-reconcile-protocol'

/** The mission's record of one upload of one partition. `uploadID` is the session, `checksum` the last leaf it was verified by. */
export interface UploadStatus {
  readonly partitionID: string
  readonly uploadID: string
  readonly status: UploadState
  readonly checksum: string | undefined
}

/** Which uploads exist of every partition, and what becomes of them. Terminal states stay as they are. */
export class UploadStatuses {
  readonly #uploads = new Map<string, UploadStatus>()
  readonly #ofPartition = new Map<string, string[]>()
  readonly #terminate: (uploadID: string, completedBy: string) => void

  /** @param terminate ends one redundant upload, here and on its server */
  constructor(terminate: (uploadID: string, completedBy: string) => void) {
    this.#terminate = terminate
  }

  get uploads(): readonly UploadStatus[] {
    return [...this.#uploads.values()]
  }

  get(uploadID: string): UploadStatus | undefined {
    return this.#uploads.get(uploadID)
  }

  /** Oldest first. */
  ofPartition(partitionID: string): UploadStatus[] {
    return (this.#ofPartition.get(partitionID) ?? []).flatMap((id) => this.#uploads.get(id) ?? [])
  }

  /** An upload that is known already stays as it is. */
  addUpload(partitionID: string, uploadID: string): void {
    if (this.#uploads.has(uploadID)) return
    this.#uploads.set(uploadID, { partitionID, uploadID, status: 'pending', checksum: undefined })
    const others = this.#ofPartition.get(partitionID)
    if (others) others.push(uploadID)
    else this.#ofPartition.set(partitionID, [uploadID])
  }

  setStatus(uploadID: string, status: UploadState): void {
    const upload = this.#uploads.get(uploadID)
    if (upload && !isTerminal(upload.status)) this.#uploads.set(uploadID, { ...upload, status })
  }

  /** Sets the status and ends every other upload of the partition that is not completed. */
  markCompleted(uploadID: string, checksum: string): void {
    const upload = this.#uploads.get(uploadID)
    if (!upload || isTerminal(upload.status)) return
    this.#uploads.set(uploadID, { ...upload, status: 'completed', checksum })
    this.terminateRedundantUploads(upload.partitionID)
  }

  /** Ends every upload of the partition that is not completed, once one is. */
  terminateRedundantUploads(partitionID: string): void {
    const uploads = this.ofPartition(partitionID)
    const winner = uploads.find((upload) => upload.status === 'completed')
    if (!winner) return
    for (const upload of uploads) {
      if (isTerminal(upload.status)) continue
      this.#uploads.set(upload.uploadID, { ...upload, status: 'superseded' })
      this.#terminate(upload.uploadID, winner.uploadID)
    }
  }
}

function isTerminal(status: UploadState): boolean {
  return status === 'completed' || status === 'failed' || status === 'superseded'
}
