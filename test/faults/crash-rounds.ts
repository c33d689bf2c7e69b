import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from 'reconcile-test-support/links/seeded-random'
import { runCheck } from '../../packages/tus-reconcile-server/dist/command/check-command.js'
import { CrashUpload, type Random } from './crash-traffic.js'
import { examineAnswers, examineBytes, finish, forget } from './crash-verdict.js'
import { ServerProcess } from './server-process.js'

/** Uploads at one time. */
const MAX_UPLOADS = 3
/** So many kills are aimed at a commit, which takes a few milliseconds; the others at what comes before. */
const AT_COMMIT = 0.4
const MAX_AFTER_COMMIT_MS = 15
/** After the first session was created. Most uploads take 200 to 600 ms. */
const MAX_AFTER_FIRST_MS = 400
/** Tombstones add up: now and then a directory begins anew. */
const ROUNDS_PER_DIRECTORY = 50

export interface CrashFigures {
  rounds: number
  uploads: number
  acknowledgedBytes: number
  verifiedBlocks: number
  /** Commits that were answered before the crash, and that the restart ended or found. */
  commits: number
}

/** Kills a server at random moments among uploads, as often as is said. @throws Error that names round and seed */
export async function runCrashRounds(
  rounds: number,
  seed: number,
  tell: (line: string) => void,
): Promise<CrashFigures> {
  const figures: CrashFigures = { rounds: 0, uploads: 0, acknowledgedBytes: 0, verifiedBlocks: 0, commits: 0 }
  while (figures.rounds < rounds) {
    const directory = await mkdtemp(join(process.env.CRASH_DIRECTORY ?? tmpdir(), 'reconcile-crash-'))
    for (let i = 0; i < ROUNDS_PER_DIRECTORY && figures.rounds < rounds; i++) {
      const random = seededRandom(`${seed}.${figures.rounds}`)
      await runRound(directory, random, figures).catch((cause: unknown) => {
        throw new Error(`round ${figures.rounds} of seed ${seed}, kept in ${directory}: ${cause}`, { cause })
      })
      figures.rounds++
      if (figures.rounds % 25 === 0) tell(JSON.stringify(figures))
    }
    await rm(directory, { recursive: true, force: true })
  }
  return figures
}

async function runRound(directory: string, random: Random, figures: CrashFigures): Promise<void> {
  const uploads = await crash(directory, random)
  for (const upload of uploads) await examineBytes(directory, upload)
  count(figures, uploads)
  const server = await ServerProcess.start(directory)
  try {
    for (const upload of uploads) {
      upload.move(server)
      await examineAnswers(upload)
    }
    await Promise.all(uploads.map((upload) => finish(directory, upload)))
  } finally {
    // at rest a kill loses nothing either
    await server.kill()
  }
  let told = ''
  const code = await runCheck(['--check', directory], (text) => {
    told += text
  })
  if (code !== 0) throw new Error(`--check ends with ${code}: ${told}`)
  for (const upload of uploads) await forget(directory, upload)
}

/** A server's life until it is killed among uploads. */
async function crash(directory: string, random: Random): Promise<CrashUpload[]> {
  const server = await ServerProcess.start(directory)
  const uploads = Array.from({ length: 1 + Math.floor(random() * MAX_UPLOADS) }, () => new CrashUpload(server, random))
  const isAtCommit = random() < AT_COMMIT
  const delayMs = random() * (isAtCommit ? MAX_AFTER_COMMIT_MS : MAX_AFTER_FIRST_MS)
  let killing: Promise<void> | undefined
  const killSoon = () => {
    killing ??= sleep(delayMs).then(() => server.kill())
  }
  const milestones = isAtCommit
    ? { answered: () => {}, committing: killSoon }
    : { answered: killSoon, committing: () => {} }
  const running = uploads.map((upload) =>
    upload.run(milestones).catch((error: unknown) => {
      if (!server.isKilled) throw error
    }),
  )
  try {
    await Promise.all(running)
    await killing
  } finally {
    await server.kill()
  }
  return uploads
}

function count(figures: CrashFigures, uploads: readonly CrashUpload[]): void {
  figures.uploads += uploads.length
  for (const { acknowledged } of uploads) {
    figures.acknowledgedBytes += [...acknowledged.offsets.values()].reduce((sum, offset) => sum + offset, 0)
    figures.verifiedBlocks += acknowledged.blocks.size
    figures.commits += acknowledged.isCommitted ? 1 : 0
  }
}
