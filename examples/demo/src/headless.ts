import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { type Certificate, makeCertificate } from 'reconcile-test-support/certificate'
import { seededRandom } from 'reconcile-test-support/links/index'
import { followUpload, openBrowser, type PageState, startUpload } from './browser.js'
import type { Cleanup } from './cleanup.js'
import { hashFile, hashUrl, writeRandomFile } from './files.js'
import { findLeftBehind, type Inventory, takeInventory } from './left-behind.js'
import type { DemoOptions } from './options.js'
import { estimateBestMs } from './oracle.js'
import { buildPage } from './page-build.js'
import { openPageServer } from './page-server.js'
import { listDescendants, type ProcessFacts } from './processes.js'
import { playScenario } from './scenarios/index.js'
import { shareSent } from './scenarios/stage.js'
import { ScriptLog } from './script-log.js'
import { stoppedSessions } from './stopped-sessions.js'
import { type Story, tellStory } from './story.js'
import type { Measured } from './verdict.js'
import { pollUntil } from './waiting.js'
import { openWorld, type World } from './world.js'
import { planWorld } from './world-plan.js'

/** All that one run brought to light; what is left behind by processes and files is added after the clean-up. */
export interface HeadlessRun {
  readonly story: Story
  readonly measured: Measured
  readonly state: PageState
  readonly script: ScriptLog
  readonly world: World
  /** What ran just before the clean-up. */
  readonly processes: readonly ProcessFacts[]
}

interface Places {
  readonly cleanup: Cleanup
  readonly temporary: string
  readonly signal: AbortSignal
}

/** The issue: sessions and side data are gone 5 s after the end. */
const LEFT_BEHIND_MS = 5_000
/** An upload that takes so many times the ideal, and so much more, will not end (guess). */
const LIMIT_FACTOR = 15
const LIMIT_EXTRA_MS = 120_000

/** Uploads one file through the page in headless Chromium, under a script. @throws NoBrowserError when there is none */
export async function runHeadless(options: DemoOptions, places: Places): Promise<HeadlessRun> {
  const { cleanup, temporary, signal } = places
  const file = options.file ?? join(temporary, 'random.bin')
  if (options.file === undefined) await writeRandomFile(file, options.sizeBytes, signal)
  const sourceSha256 = await hashFile(file, signal)
  const certificate = options.http2 ? await makeCertificate() : undefined
  const world = await openDemoWorld(options, { ...places, certificate })
  const before = await Promise.all(world.servers.map((server) => takeInventory(server.process.directory)))
  const script = new ScriptLog(options.scenario)
  const folder = await buildPage(signal)
  const pageServer = await openPageServer({ folder, world, log: script })
  cleanup.add('page server', () => pageServer.close())
  const { page, problems } = await openBrowser(places, certificate)
  await startUpload(page, pageServer.url, file).catch((error: unknown) => {
    throw new Error([...problems, messageOf(error)].join('; '), { cause: error })
  })
  const state = await uploadUnderScript(options, { ...places, world, script, page, problems })
  const story = tellStory(state.events)
  const oracleMs = estimateBestMs(world, story.startedAt, options.sizeBytes)
  world.heal()
  const measured = await measure({ options, world, state, before, signal, sourceSha256, oracleMs, problems })
  return { story, measured, state, script, world, processes: await listDescendants() }
}

/** The servers and links for these options, also for the page alone. */
export async function openDemoWorld(
  options: DemoOptions,
  places: Places & { readonly certificate: Certificate | undefined },
): Promise<World> {
  const directory = options.directory ?? join(places.temporary, 'servers')
  await mkdir(directory, { recursive: true })
  return openWorld({ plan: planWorld(options), directory, seed: options.seed, ...places })
}

async function uploadUnderScript(
  options: DemoOptions,
  o: Places & { world: World; script: ScriptLog; page: Page; problems: string[] },
): Promise<PageState> {
  const ended = new AbortController()
  const random = seededRandom(`${options.scenario} ${options.seed}`)
  const stage = { world: o.world, log: o.script, random, signal: AbortSignal.any([ended.signal, o.signal]) }
  const playing = playScenario(options.scenario, stage).catch((error: unknown) => {
    o.problems.push(`script: ${error instanceof Error ? error.message : String(error)}`)
  })
  const idealMs = (options.sizeBytes / o.world.plan.lastMileBytesPerSecond) * 1000
  const late = AbortSignal.timeout(Math.ceil(LIMIT_FACTOR * idealMs + LIMIT_EXTRA_MS))
  let last: PageState = { events: [], done: false }
  const shots = new Shots(options.screenshot, o.page)
  const onLook = async (state: PageState): Promise<void> => {
    last = state
    const isTroubled = options.scenario === 'clean' || state.events.some(isDecision)
    if (isTroubled && shareSent(stage) >= 0.5) await shots.takeMiddle()
  }
  try {
    last = await followUpload(o.page, { signal: AbortSignal.any([o.signal, late]), onLook })
    await shots.takeEnd()
  } catch (error) {
    o.signal.throwIfAborted()
    o.problems.push(late.aborted ? 'the upload did not end in time' : `browser: ${messageOf(error)}`)
    await shots.takeEnd().catch(() => {})
  } finally {
    ended.abort(new Error('the upload has ended'))
    await playing
  }
  return last
}

/** What a picture in mid-upload should show at least one of. */
function isDecision({ type }: { readonly type: string }): boolean {
  return type === 'split' || type === 'takeOver' || type === 'copy' || type === 'cut'
}

/** Screenshots, one in the middle and one at the end. */
class Shots {
  readonly #path: string | undefined
  readonly #page: Page
  #hasMiddle = false

  constructor(path: string | undefined, page: Page) {
    this.#path = path
    this.#page = page
  }

  async takeMiddle(): Promise<void> {
    if (this.#path === undefined || this.#hasMiddle) return
    this.#hasMiddle = true
    await this.#page.screenshot({ path: this.#path })
  }

  async takeEnd(): Promise<void> {
    if (this.#path !== undefined) await this.#page.screenshot({ path: this.#path.replace(/\.png$/, '-end.png') })
  }
}

async function measure(o: {
  options: DemoOptions
  world: World
  state: PageState
  before: readonly Inventory[]
  signal: AbortSignal
  sourceSha256: string
  oracleMs: number
  problems: string[]
}): Promise<Measured> {
  const { options, world, state, problems } = o
  const counters = world.servers.map((server) => server.link.counters)
  const requests: Record<string, number> = {}
  for (const [method, count] of counters.flatMap((one) => Object.entries(one.requests))) {
    requests[method] = (requests[method] ?? 0) + count
  }
  const fileId = state.result?.url.split('/').at(-1)
  const leftBehind = await watchLeftBehind({ ...o, fileId })
  const lines = world.servers.flatMap((server) => server.process.log)
  if (state.error !== undefined) problems.push(`upload: ${state.error}`)
  return {
    ...{ scenario: options.scenario, seed: options.seed, servers: options.servers, sizeBytes: options.sizeBytes },
    ...{ sourceSha256: o.sourceSha256, storedSha256: await hashStored(o), oracleMs: o.oracleMs },
    bodyBytes: counters.reduce((sum, one) => sum + one.bodyBytesUp, 0),
    requests,
    leftBehind,
    stoppedSessions: stoppedSessions(lines),
    problems,
  }
}

/** Straight from the server's own port: what the primary serves. */
async function hashStored(o: {
  world: World
  state: PageState
  signal: AbortSignal
  problems: string[]
}): Promise<string | null> {
  const primary = o.world.servers[0]
  const id = o.state.result?.url.split('/').at(-1)
  if (!primary || id === undefined) return null
  try {
    return (await hashUrl(`${primary.process.directEndpoint}/${id}`, o.signal)).sha256
  } catch (error) {
    o.problems.push(`GET from the primary: ${messageOf(error)}`)
    return null
  }
}

/** What is left of the upload on the servers, at once or after at most 5 s. */
async function watchLeftBehind(o: {
  world: World
  before: readonly Inventory[]
  fileId: string | undefined
  signal: AbortSignal
}): Promise<string[]> {
  let left: string[] = []
  const look = async (): Promise<boolean> => {
    const found = await Promise.all(
      o.world.servers.map(({ index, path, process }) =>
        findLeftBehind({
          name: path.name,
          directory: process.directory,
          before: o.before[index] ?? new Set(),
          fileId: index === 0 ? o.fileId : undefined,
        }),
      ),
    )
    left = found.flat()
    return left.length === 0
  }
  await pollUntil(look, { everyMs: 100, limitMs: LEFT_BEHIND_MS, signal: o.signal })
  return left
}

/** Every event as one JSON object a line: the engine's and the script's, in the order of time. */
export async function writeEvents(
  path: string,
  { state, script }: Pick<HeadlessRun, 'state' | 'script'>,
): Promise<void> {
  // as in toNdjson(): progress says nothing that acknowledgements and samples do not
  const events = state.events.filter(({ type }) => type !== 'progress')
  const all = [...events, ...script.events].sort((a, b) => a.at - b.at)
  await writeFile(path, all.map((event) => `${JSON.stringify(event)}\n`).join(''))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
