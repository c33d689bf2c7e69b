import { backendConforms } from '../testing/backend-conformance.js'
import { MemoryBackend } from '../testing/memory-backend.js'
import { SparseFileBackend } from './sparse-file-backend.js'

backendConforms('SparseFileBackend', (directory) => new SparseFileBackend(directory))
backendConforms('MemoryBackend', () => new MemoryBackend())
