import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { syncDirectory } from '../store/syncing.js'

/** Final uploads that a repeated creation is answered from (guess; a client repeats within minutes). */
const MAX_REMEMBERED = 1000

/** A final upload that is being made, or was. */
export interface MadeFinal {
  readonly id: string
  readonly url: string
  /** In bytes. */
  readonly size: number
  /** With the mark of a final upload. */
  readonly metadata: Record<string, string | null>
  readonly createdAt: string
  readonly parts: readonly string[]
  /** Its finish hook has run, and its parts are gone. */
  readonly isFinished: boolean
  /** What the finish hook said if it refused. */
  readonly refusal?: { readonly status: number; readonly message: string } | undefined
}

const SCHEMA = v.object({
  id: v.string(),
  url: v.string(),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  metadata: v.record(v.string(), v.nullable(v.string())),
  createdAt: v.string(),
  parts: v.array(v.string()),
  isFinished: v.boolean(),
  refusal: v.optional(v.object({ status: v.number(), message: v.string() })),
})

/** By their parts: a repeat of a creation whose answer was lost makes no second file. */
export class MadeFinals {
  readonly #made = new Map<string, MadeFinal>()
  readonly #directory: string | undefined
  readonly #isDurable: boolean

  /**
   * @param directory where they outlast a restart; without it they do not
   * @param isDurable they are synced before they count
   */
  constructor(directory?: string, isDurable: boolean = false) {
    this.#directory = directory
    this.#isDurable = isDurable
  }

  /** Reads what an earlier process kept, oldest first. What cannot be read is thrown away. */
  async load(): Promise<readonly MadeFinal[]> {
    const directory = this.#directory
    if (directory === undefined) return []
    const names = await readdir(directory).catch(() => [])
    const ages = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(directory, name))).mtimeMs })),
    )
    for (const { name } of ages.sort((a, b) => a.at - b.at)) {
      const made = await readMade(join(directory, name))
      if (made && keyOf(made.parts) === name) await this.#remember(name, made)
      else await rm(join(directory, name), { force: true })
    }
    return [...this.#made.values()]
  }

  get(parts: readonly string[]): MadeFinal | undefined {
    return this.#made.get(keyOf(parts))
  }

  async put(made: MadeFinal): Promise<void> {
    const key = keyOf(made.parts)
    if (this.#directory !== undefined) await this.#write(this.#directory, key, JSON.stringify(made))
    await this.#remember(key, made)
  }

  async forget(parts: readonly string[]): Promise<void> {
    await this.#forget(keyOf(parts))
  }

  async #remember(key: string, made: MadeFinal): Promise<void> {
    this.#made.set(key, made)
    const [oldest] = this.#made.keys()
    if (this.#made.size > MAX_REMEMBERED && oldest !== undefined) await this.#forget(oldest)
  }

  /** A crash leaves all of it, or a file that `load` throws away. */
  async #write(directory: string, name: string, text: string): Promise<void> {
    const temporary = join(directory, randomUUID())
    await mkdir(directory, { recursive: true })
    try {
      await writeFile(temporary, text, { flush: this.#isDurable })
      await rename(temporary, join(directory, name))
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      throw error
    }
    if (this.#isDurable) await syncDirectory(directory)
  }

  async #forget(key: string): Promise<void> {
    this.#made.delete(key)
    if (this.#directory !== undefined) await rm(join(this.#directory, key), { force: true })
  }
}

function keyOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join(' ')).digest('hex')
}

async function readMade(path: string): Promise<MadeFinal | undefined> {
  try {
    return v.parse(SCHEMA, JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return undefined
  }
}
