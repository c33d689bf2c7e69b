#!/usr/bin/env node
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pc from 'picocolors'
import { NoBrowserError } from './browser.js'
import { Cleanup } from './cleanup.js'
import { type HeadlessRun, runHeadless, writeEvents } from './headless.js'
import { runInteractive } from './interactive.js'
import { type DemoOptions, FlagError, parseDemoOptions } from './options.js'
import { listDescendants, stillRunning } from './processes.js'
import { formatReport } from './report.js'
import { judge, type Verdict } from './verdict.js'
import { pollUntil } from './waiting.js'

const INTERRUPTED = 130
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Nothing was tried: neither a pass, which 0 promises, nor a failure. */
const SKIPPED = 3
/** Processes that were told to end are gone by then; what is not is left behind. */
const GONE_MS = 5_000

async function main(): Promise<number> {
  const options = parseDemoOptions(process.argv.slice(2))
  if (!options) return 0
  const cleanup = new Cleanup()
  const interrupt = listenForInterrupt()
  const temporary = await mkdtemp(join(tmpdir(), 'uppy-adaptive-demo-'))
  cleanup.add('temporary files', () => removeFolder(temporary))
  interrupt.addEventListener('abort', () => forceOnImpatience(temporary))
  // Chromium and playwright put theirs there, too
  process.env.TMPDIR = temporary
  const places = { cleanup, temporary, signal: interrupt }
  try {
    if (!options.headless) await runInteractive(options, places)
    const run = await runHeadless(options, places)
    return await report(options, run, cleanup)
  } catch (error) {
    await cleanup.run()
    if (interrupt.aborted) return INTERRUPTED
    if (!(error instanceof NoBrowserError)) throw error
    console.error(pc.bgYellow(pc.black(' SKIPPED ')), error.message)
    return SKIPPED
  } finally {
    await cleanup.run()
    await endProcesses()
  }
}

/** Cleans up first, so that what that leaves is judged, too. */
async function report(options: DemoOptions, run: HeadlessRun, cleanup: Cleanup): Promise<number> {
  await cleanup.run()
  const leftBehind = [...run.measured.leftBehind, ...cleanup.problems, ...(await remainingProcesses(run))]
  const verdict = judge(run.story, { ...run.measured, leftBehind })
  console.log(formatRun(run, verdict))
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(verdict, null, 2)}\n`)
  if (options.events !== undefined) await writeEvents(options.events, run)
  return verdict.ok ? 0 : 1
}

function formatRun(run: HeadlessRun, verdict: Verdict): string {
  const { story, state, script, measured, world } = run
  const endpoints = world.servers.map((server) => server.endpoint)
  return formatReport({
    endpoints,
    verdict,
    story,
    events: state.events,
    script: script.events,
    stopped: measured.stoppedSessions,
  })
}

async function remainingProcesses(run: HeadlessRun): Promise<string[]> {
  let left = await stillRunning(run.processes)
  await pollUntil(
    async () => {
      left = await stillRunning(run.processes)
      return left.length === 0
    },
    { everyMs: 50, limitMs: GONE_MS },
  )
  return left.map(({ name, pid }) => `process ${name} (${pid})`)
}

/** The last resort: whatever of our own still runs ends now. */
async function endProcesses(): Promise<void> {
  for (const { pid } of await listDescendants()) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it ended by itself
    }
  }
}

/** A second Ctrl-C: whatever still ends in good order ends at once. */
function forceOnImpatience(temporary: string): void {
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      void endProcesses()
        .then(() => removeFolder(temporary))
        .finally(() => process.exit(INTERRUPTED))
    })
  }
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5 })
}

function listenForInterrupt(): AbortSignal {
  const controller = new AbortController()
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!controller.signal.aborted) process.stderr.write('stopping ...\n')
      controller.abort(new Error('interrupted'))
    })
  }
  return controller.signal
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    console.error(`npm run demo: ${message}`)
    process.exit(error instanceof FlagError ? 2 : 1)
  },
)
