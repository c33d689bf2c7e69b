import { constants } from 'node:fs'
import { access, type FileHandle, mkdir, open, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { moveExclusively } from './exclusive-move.js'
import type { FinaliseOptions, RangeFile } from './range-backend.js'
import { syncDirectory, syncFile } from './syncing.js'
import { writeAll } from './write-all.js'

/** Opened when it is first used, closed when nobody writes for now: thousands of idle groups hold no descriptor. */
export class SparseFile implements RangeFile {
  readonly #path: string
  readonly #running = new Set<Promise<unknown>>()
  #handle: Promise<FileHandle> | undefined
  #closing: Promise<void> | undefined
  /** Whoever writes says when he is idle. Without him the file is closed as soon as nothing runs. */
  #isWritten = false
  /** Something was written since the last sync began. */
  #isDirty = false
  /** The file's name may not be on the disk yet. */
  #isNew = true
  /** What is used meanwhile waits for it, and begins anew. */
  #removing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #nextSync: Promise<void> | undefined

  constructor(path: string) {
    this.#path = path
  }

  write(position: number, ...pieces: readonly Uint8Array[]): Promise<void> {
    this.#isWritten = true
    return this.#use(async (handle) => {
      await writeAll(handle, pieces, position)
      this.#isDirty = true
    })
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    if (this.#removing) await this.#removing.catch(() => {})
    if (this.#handle) return this.#use((handle) => readUpTo(handle, position, length))
    // a file that is not there, or no longer, is not made by reading it
    const handle = await open(this.#path, 'r').catch(noFile)
    try {
      return handle ? await readUpTo(handle, position, length) : new Uint8Array()
    } finally {
      await handle?.close()
    }
  }

  sync(): Promise<void> {
    if (!this.#syncing) {
      if (!this.#isDirty) return Promise.resolve()
      this.#syncing = this.#syncNow().finally(() => {
        this.#syncing = undefined
      })
      return this.#syncing
    }
    // what was written after that one began needs another, which all who ask meanwhile share
    this.#nextSync ??= this.#syncing
      .catch(() => {})
      .then(() => {
        this.#nextSync = undefined
        return this.sync()
      })
    return this.#nextSync
  }

  idle(): Promise<void> {
    this.#isWritten = false
    return this.#closeUnused()
  }

  remove(): Promise<void> {
    const removing = this.#removeAfter(Promise.allSettled([...this.#running, this.#removing])).finally(() => {
      if (this.#removing === removing) this.#removing = undefined
    })
    this.#removing = removing
    return removing
  }

  async finalise(target: string, size: number, options: FinaliseOptions = {}): Promise<void> {
    await this.#settle()
    await mkdir(dirname(target), { recursive: true })
    if (await exists(this.#path)) {
      await truncate(this.#path, size)
      if (options.isDurable) await syncFile(this.#path)
      await moveExclusively(this.#path, target, options.isRepeat ?? false)
    } else if (await exists(target)) {
      if (!options.isRepeat) throw failure('EEXIST', 'there is a file of that name already')
    } else {
      if (size > 0) throw failure('ENOENT', 'the bytes of this upload are gone')
      // no byte was ever written, so that there is no data file
      await writeFile(target, '', { flag: 'wx', mode: 0o644 })
    }
    if (options.isDurable) await syncDirectory(dirname(target))
  }

  async #syncNow(): Promise<void> {
    this.#isDirty = false
    try {
      await this.#use((handle) => handle.datasync())
      if (this.#isNew) await syncDirectory(dirname(this.#path))
      this.#isNew = false
    } catch (error) {
      this.#isDirty = true
      throw error
    }
  }

  async #removeAfter(running: Promise<unknown>): Promise<void> {
    await running
    const handle = this.#handle
    this.#handle = undefined
    this.#isDirty = false
    this.#isNew = true
    await (await handle)?.close()
    await rm(this.#path, { force: true })
  }

  /** Settles when it is closed, whoever has begun that. */
  async #closeUnused(): Promise<void> {
    if (this.#running.size > 0) return
    const handle = this.#handle
    this.#handle = undefined
    if (handle) {
      const closing = handle
        .then((opened) => opened.close())
        .finally(() => {
          if (this.#closing === closing) this.#closing = undefined
        })
      this.#closing = closing
    }
    await this.#closing
  }

  async #settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    await this.idle()
  }

  async #use<T>(task: (handle: FileHandle) => Promise<T>): Promise<T> {
    const running = this.#begin(task)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
      if (!this.#isWritten) await this.#closeUnused()
    }
  }

  async #begin<T>(task: (handle: FileHandle) => Promise<T>): Promise<T> {
    // a failed removal has told whoever asked for it
    if (this.#removing) await this.#removing.catch(() => {})
    this.#handle ??= this.#open()
    return task(await this.#handle)
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

async function readUpTo(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}

function noFile(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
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
