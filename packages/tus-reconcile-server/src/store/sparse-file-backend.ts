import { constants } from 'node:fs'
import {
  access,
  type FileHandle,
  link,
  mkdir,
  open,
  rename,
  rm,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import type { RangeBackend, RangeFile } from './range-backend.js'

/** One sparse file per group: every partition at its own offset, so that commit is a rename. */
export class SparseFileBackend implements RangeBackend {
  readonly boundaryQuantum: number = BLOCK_SIZE
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  open(name: string): RangeFile {
    return new SparseFile(join(this.#directory, `${name}.data`))
  }
}

/** Opened when it is first used, closed when nobody writes for now: thousands of idle groups hold no descriptor. */
class SparseFile implements RangeFile {
  readonly #path: string
  #handle: Promise<FileHandle> | undefined
  #busy = 0

  constructor(path: string) {
    this.#path = path
  }

  write(position: number, bytes: Uint8Array): Promise<void> {
    return this.#use(async (handle) => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
        done += bytesWritten
      }
    })
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.#use(async (handle) => {
      const bytes = Buffer.allocUnsafe(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return bytes.subarray(0, done)
    })
  }

  async idle(): Promise<void> {
    if (this.#busy > 0) return
    const handle = this.#handle
    this.#handle = undefined
    await (await handle)?.close()
  }

  async remove(): Promise<void> {
    await this.idle()
    await rm(this.#path, { force: true })
  }

  async finalise(target: string, size: number, isRepeat: boolean = false): Promise<void> {
    await this.idle()
    await mkdir(dirname(target), { recursive: true })
    if (!(await exists(this.#path))) {
      const isMade = await exists(target)
      if (isMade && isRepeat) return
      if (isMade) throw failure('EEXIST', 'there is a file of that name already')
      if (size > 0) throw failure('ENOENT', 'the bytes of this upload are gone')
      // no byte was ever written, so that there is no data file
      await writeFile(target, '', { flag: 'wx', mode: 0o644 })
      return
    }
    await truncate(this.#path, size)
    await moveExclusively(this.#path, target, isRepeat)
  }

  async #use<T>(task: (handle: FileHandle) => Promise<T>): Promise<T> {
    this.#busy++
    try {
      this.#handle ??= this.#open()
      return await task(await this.#handle)
    } finally {
      this.#busy--
    }
  }

  async #open(): Promise<FileHandle> {
    try {
      await mkdir(dirname(this.#path), { recursive: true })
      return await open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o644)
    } catch (error) {
      this.#handle = undefined
      throw error
    }
  }
}

/** What a file system answers that has no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** A rename would overwrite what another request has created in between: a second name never does (EEXIST). */
async function moveExclusively(from: string, to: string, isRepeat: boolean): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (NO_LINKS.has(code)) return renameOverPlaceholder(from, to)
    // cut between the two steps, the first of which is done
    if (code !== 'EEXIST' || !isRepeat || !(await isSameFile(from, to))) throw error
  }
  await unlink(from)
}

/** Whoever creates the empty file has the name. A crash between the steps leaves it in the way: EEXIST from then on. */
async function renameOverPlaceholder(from: string, to: string): Promise<void> {
  await writeFile(to, '', { flag: 'wx', mode: 0o644 })
  await rename(from, to)
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(a, { bigint: true }), stat(b, { bigint: true })])
  return one.ino === other.ino && one.dev === other.dev
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
