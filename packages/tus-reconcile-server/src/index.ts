export type { BlockFile } from './groups/block-file.js'
export type { UploadStatus } from './groups/upload-status.js'
export {
  type Health,
  type PeerOptions,
  type ReconcileExtension,
  type ReconcileOptions,
  reconcile,
} from './reconcile.js'
export { FileIndex } from './records/file-index.js'
export { MemoryIndex } from './records/memory-index.js'
export type { GroupRecord, PartitionIndex } from './records/partition-index.js'
export type { RangeBackend, RangeFile } from './store/range-backend.js'
export { RangeStore, type RangeStoreOptions } from './store/range-store.js'
export { SparseFileBackend } from './store/sparse-file-backend.js'
