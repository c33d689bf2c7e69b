#!/usr/bin/env node
import { createHash } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CommandError, type Invocation, type RawFlags, requireInvocation, USAGE } from './log/invocation.js'
import { namesOf } from './log/log-names.js'
import { readLog } from './log/read-log.js'
import { run } from './log/run-command.js'
import { printable } from './log/words.js'

/** A log is read into memory. */
const MOST_BYTES = 256 * 2 ** 20

function main(): void {
  // who reads the output may go, as `head` does
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const argv = process.argv.slice(2)
  try {
    const invocation = requireInvocation(parseFlags(argv))
    if (invocation.command === 'help') process.stdout.write(USAGE)
    else execute(invocation)
  } catch (error) {
    fail(error, argv.includes('--json'))
  }
}

function parseFlags(argv: readonly string[]): RawFlags {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        model: { type: 'string' },
        svg: { type: 'string' },
        upload: { type: 'string' },
        replay: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return { ...values, positionals }
  } catch (error) {
    // Node's sentence names the flag; what follows the first is about positionals
    throw new CommandError('invalidFlag', `${messageOf(error).split('. ')[0]}; --help tells the flags`)
  }
}

function execute(invocation: Exclude<Invocation, { command: 'help' }>): void {
  const names = namesOf(invocation.logs.map((path) => resolve(path)))
  const logs = invocation.logs.map((path, at) => readLog({ name: names[at] ?? path, ...readText(path) }))
  const model = invocation.model === undefined ? undefined : readText(invocation.model).text
  for (const target of [invocation.out, invocation.svg]) refuseOverwriting(target, invocation)
  const { text, files } = run(invocation, {
    logs,
    model,
    nowMs: Date.now(),
    formatTime: (atMs) => new Date(atMs).toISOString(),
  })
  for (const { path, content } of files) write(path, content)
  process.stdout.write(`${text}\n`)
}

function readText(path: string): { text: string; sha256: string } {
  try {
    const { size } = statSync(path)
    if (size > MOST_BYTES) {
      throw new CommandError('tooLarge', `${path} has ${size} bytes, more than ${MOST_BYTES} are not read: split it`)
    }
    const bytes = readFileSync(path)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return { text: bytes.toString('utf8'), sha256 }
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError('unreadable', `cannot read ${path}: ${messageOf(error)}`)
  }
}

function refuseOverwriting(
  target: string | undefined,
  { logs, model }: { logs: readonly string[]; model?: string },
): void {
  const inputs = model === undefined ? logs : [...logs, model]
  if (target === undefined || !inputs.some((path) => resolve(path) === resolve(target))) return
  throw new CommandError('invalidFlag', `${target} is read from: name another file to write to`)
}

function write(path: string, content: string): void {
  try {
    writeFileSync(path, content)
  } catch (error) {
    throw new CommandError('unwritable', `cannot write ${path}: ${messageOf(error)}`)
  }
}

function fail(error: unknown, isJson: boolean): void {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'internal'
  const message = messageOf(error)
  process.stderr.write(
    isJson ? `${JSON.stringify({ error: { code, message } })}\n` : `upload-predictor: ${code}: ${printable(message)}\n`,
  )
  process.exitCode = error instanceof CommandError && error.isUsage ? 2 : 1
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

main()
