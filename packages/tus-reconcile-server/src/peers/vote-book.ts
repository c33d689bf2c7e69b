import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { GroupQueue } from '../groups/group-queue.js'
import { NO_VOTE, type Vote } from './ballot.js'

const BallotSchema = v.object({ round: v.number(), store: v.string() })
const VoteSchema: v.GenericSchema<unknown, Vote> = v.object({
  promised: v.nullable(BallotSchema),
  accepted: v.nullable(v.object({ ballot: BallotSchema, home: v.string() })),
})

/** This server's votes, one small file per group. What it has said it can never unsay: synced before it is told. */
export class VoteBook {
  readonly #directory: string
  readonly #queue = new GroupQueue()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** One step of a group's vote. Returns how it stands after it; `undefined` of `step` changes nothing. */
  change(
    group: string,
    step: (vote: Vote) => Vote | undefined,
  ): Promise<{ readonly vote: Vote; readonly taken: boolean }> {
    return this.#queue.run(async () => {
      const vote = await this.#read(group)
      const next = step(vote)
      if (!next) return { vote, taken: false }
      await this.#write(group, next)
      return { vote: next, taken: true }
    })
  }

  /** Votes on groups that nobody can have any more. */
  async forget(olderThanMs: number): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const path = join(this.#directory, name)
      const { mtimeMs } = await stat(path)
      if (Date.now() - mtimeMs > olderThanMs) await rm(path, { force: true })
    }
  }

  async #read(group: string): Promise<Vote> {
    const text = await readFile(this.#path(group), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    return text === undefined ? NO_VOTE : v.parse(VoteSchema, JSON.parse(text))
  }

  async #write(group: string, vote: Vote): Promise<void> {
    await mkdir(this.#directory, { recursive: true })
    const path = this.#path(group)
    const file = await open(`${path}.tmp`, 'w', 0o644)
    try {
      await file.writeFile(JSON.stringify(vote))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
    const directory = await open(this.#directory, 'r')
    await directory.sync().finally(() => directory.close())
  }

  /** Ids of groups are base64url: no path can be made of one. */
  #path(group: string): string {
    return join(this.#directory, group)
  }
}
