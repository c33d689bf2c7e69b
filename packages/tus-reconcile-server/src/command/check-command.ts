import { Command } from 'commander'
import { type CheckEntry, type CheckReport, exitCodeOf, formatReport } from '../check/check-report.js'
import { checkStore, hasRecords } from '../check/check-store.js'
import { IndexError } from '../records/index-error.js'
import { LevelIndex, rebuildLevel } from '../records/level-index.js'
import { RangeStore } from '../store/range-store.js'
import { codeOf, DAY_MS, FlagError, oneOf, timeMs } from './cli-values.js'
import { parseFlags } from './parse-flags.js'

interface CheckFlags {
  readonly check: string
  readonly dryRun: boolean
  readonly expire: number
  readonly log: 'text' | 'json'
}

/** Whether the command is asked to check and not to serve. */
export function isCheck(argv: readonly string[]): boolean {
  return argv.some((arg) => arg === '--check' || arg.startsWith('--check='))
}

/** Checks the directory that `--check` names, tells what was found, and returns the exit code. @throws FlagError */
export async function runCheck(argv: readonly string[], write: (text: string) => void): Promise<number> {
  const flags = parseCheckFlags(argv)
  if (!flags) return 0
  if (!(await hasRecords(flags.check))) {
    throw new FlagError(`--check ${flags.check} finds no records there: name the folder that --directory names`)
  }
  try {
    const report = await readStore(new RangeStore({ directory: flags.check }), flags)
    write(formatReport(report, flags.log))
    return exitCodeOf(report)
  } catch (error) {
    const reason = error instanceof IndexError ? error.message : codeOf(error)
    throw new FlagError(`--check ${flags.check} cannot be done: ${reason}`)
  }
}

async function readStore(store: RangeStore, flags: CheckFlags): Promise<CheckReport> {
  const directory = store.ownPath('index')
  const read = (before: readonly CheckEntry[]) => {
    const index = new LevelIndex({ directory, firstVersion: store.ownPath('records.json') })
    return checkStore({ store, index, isDryRun: flags.dryRun, expireMs: flags.expire, before })
  }
  try {
    return await read([])
  } catch (error) {
    if (!(error instanceof IndexError) || error.code !== 'damaged-index') throw error
    if (flags.dryRun) throw new FlagError(`the index in ${directory} is damaged: without --dry-run it is rebuilt`)
    const kept = await rebuildLevel(directory)
    const reason = `rebuilt of what could be read; the damaged one is kept in ${kept}`
    return read([{ group: '', finding: 'damaged-index', outcome: 'repaired', reason }])
  }
}

/** @returns `undefined` when only help was asked for. @throws FlagError */
export function parseCheckFlags(argv: readonly string[]): CheckFlags | undefined {
  const command = new Command('tus-reconcile-server')
    .requiredOption('--check <dir>')
    .option('--dry-run', '', false)
    .option('--expire <time>', '', timeMs('--expire'), DAY_MS)
    .option('--log <json|text>', '', oneOf('--log', ['json', 'text']), 'text')
  const flags = parseFlags<CheckFlags>(
    command,
    argv,
    (sentence) => `${sentence}: with --check go --dry-run, --expire and --log alone`,
  )
  if (flags?.check.startsWith('--')) throw new FlagError('--check has no value: name the folder that keeps the uploads')
  return flags
}
