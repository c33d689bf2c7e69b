import type { UploadState } from 'tus-reconcile-protocol'

/** One upload (session) of one partition, in the mission's own words. */
export interface UploadStatus {
  readonly partitionID: string
  readonly uploadID: string
  readonly status: UploadState
  /** SHA-256 over the block digests of the upload's range, once it is completed. */
  readonly checksum: string | null
}

/**
 * Who uploads which partition, and who has won. `isRedundant` asks whether all of an upload's range is verified;
 * `onChange` is told of every upload whose status is another.
 */
export class UploadStatuses {
  readonly #uploads = new Map<string, UploadStatus>()
  readonly #isRedundant: (uploadID: string) => boolean
  readonly #onChange: (uploadID: string) => void
  #inProgress = 0

  constructor(isRedundant: (uploadID: string) => boolean, onChange: (uploadID: string) => void = () => {}) {
    this.#isRedundant = isRedundant
    this.#onChange = onChange
  }

  get(uploadID: string): UploadStatus | undefined {
    return this.#uploads.get(uploadID)
  }

  /** How many are in progress. */
  get inProgress(): number {
    return this.#inProgress
  }

  partitions(): ReadonlySet<string> {
    return new Set(Array.from(this.#uploads.values(), (upload) => upload.partitionID))
  }

  addUpload(partitionID: string, uploadID: string): void {
    this.#set({ partitionID, uploadID, status: 'inProgress', checksum: null })
  }

  /** Returns the uploads that this made redundant. */
  markCompleted(uploadID: string, checksum: string): readonly string[] {
    const upload = this.#uploads.get(uploadID)
    if (upload?.status !== 'inProgress') return []
    this.#set({ ...upload, status: 'completed', checksum })
    return this.terminateRedundantUploads(upload.partitionID)
  }

  /**
   * Ends every other upload of the partition that is not completed and has nothing left to bring. A copy that was
   * split since may still carry bytes that nobody else has: that one goes on.
   */
  terminateRedundantUploads(partitionID: string): readonly string[] {
    const redundant = [...this.#uploads.values()].filter(
      (upload) =>
        upload.partitionID === partitionID && upload.status === 'inProgress' && this.#isRedundant(upload.uploadID),
    )
    for (const upload of redundant) this.#set({ ...upload, status: 'superseded' })
    return redundant.map((upload) => upload.uploadID)
  }

  end(uploadID: string, status: 'superseded' | 'failed'): void {
    const upload = this.#uploads.get(uploadID)
    if (upload?.status === 'inProgress') this.#set({ ...upload, status })
  }

  restore(status: UploadStatus): void {
    this.#put(status)
  }

  #set(upload: UploadStatus): void {
    this.#put(upload)
    this.#onChange(upload.uploadID)
  }

  #put(upload: UploadStatus): void {
    const before = this.#uploads.get(upload.uploadID)
    this.#inProgress += Number(upload.status === 'inProgress') - Number(before?.status === 'inProgress')
    this.#uploads.set(upload.uploadID, upload)
  }
}
