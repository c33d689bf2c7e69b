#!/usr/bin/env node
import { pino } from 'pino'
import { isCheck, runCheck } from './command/check-command.js'
import { type CliOptions, parseCliOptions } from './command/cli-options.js'
import { CommandServer } from './command/cli-server.js'
import { codeOf, FlagError } from './command/cli-values.js'
import { textLog } from './command/text-log.js'

/** Stopping takes no longer, once its delay is over, whatever hangs: above the time for a block, below the usual 10 s before a kill. */
const STOP_MS = 8000
/** What shells make of a process that a signal has ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

async function main(): Promise<void> {
  // who reads the log may go: uploads go on
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  if (isCheck(process.argv.slice(2))) {
    process.exitCode = await runCheck(process.argv.slice(2), (text) => process.stdout.write(text))
    return
  }
  const options = parseCliOptions(process.argv.slice(2))
  if (!options) return
  const log = pino(
    { base: null },
    options.log === 'json' ? pino.destination(2) : textLog((line) => process.stderr.write(line)),
  )
  const server = new CommandServer(options, log)
  const ready = await server.start()
  // always: by default the signal ends the process, and whoever sends it means a reload
  process.on('SIGHUP', () => server.readSecretsAgain())
  stopOnSignals(server, options.drainDelayMs + STOP_MS)
  // whoever reads it may send a signal at once
  sayReady(options, ready)
}

function sayReady(options: CliOptions, ready: { url: string; storeId: string }): void {
  const line =
    options.log === 'json'
      ? JSON.stringify({ ready: true, ...ready })
      : `tus-reconcile-server takes uploads at ${ready.url} (store ${ready.storeId})`
  process.stdout.write(`${line}\n`)
}

/** The first signal ends what runs in order; the second ends the process. */
function stopOnSignals(server: CommandServer, withinMs: number): void {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT_CODES[signal])
      stopping = true
      setTimeout(() => fail(new Error(`could not stop within ${withinMs / 1000} s`)), withinMs).unref()
      server.stop(signal).then(() => process.exit(0), fail)
    })
  }
}

function fail(error: unknown): void {
  process.stderr.write(`tus-reconcile-server: ${error instanceof FlagError ? error.message : codeOf(error)}\n`)
  process.exit(error instanceof FlagError ? 2 : 1)
}

main().catch(fail)
