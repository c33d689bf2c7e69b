export type { BlockFile } from './groups/block-file.js'
export type { UploadStatus } from './groups/upload-status.js'
export type { BoundOptions } from './limits/bounds.js'
export type { LimitOptions } from './limits/limit-options.js'
export { reconcile } from './reconcile.js'
export type { Health, PeerOptions, ReconcileExtension, ReconcileOptions } from './reconcile-options.js'
export type { ContentEntry, ContentIndex, ContentPlace } from './records/content-index.js'
export { IndexError, type IndexErrorCode } from './records/index-error.js'
export { LevelIndex, type LevelIndexOptions } from './records/level-index.js'
export { MemoryIndex } from './records/memory-index.js'
export type {
  ChangeSource,
  DamagedEntry,
  GroupChange,
  GroupRecord,
  LoadedRecords,
  PartitionIndex,
} from './records/partition-index.js'
export type { RangeBackend, RangeFile } from './store/range-backend.js'
export { RangeStore } from './store/range-store.js'
export type { RangeStoreOptions } from './store/range-store-options.js'
export { SparseFileBackend } from './store/sparse-file-backend.js'
