/** What a person can do wrong at the command. */
export type CommandErrorCode =
  | 'unknownCommand'
  | 'invalidFlag'
  | 'missingFlag'
  | 'noLog'
  | 'unreadable'
  | 'unwritable'
  | 'tooLarge'
  | 'emptyLog'
  | 'foreignLog'
  | 'noUploads'
  | 'unknownUpload'
  | 'notReplayable'
  | 'noPlan'

const USAGE_CODES: ReadonlySet<CommandErrorCode> = new Set(['unknownCommand', 'invalidFlag', 'missingFlag', 'noLog'])

/** One sentence that says what is wrong and what to do. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
  readonly code: CommandErrorCode

  constructor(code: CommandErrorCode, message: string) {
    super(message)
    this.code = code
  }

  /** The call itself is wrong, not what it was given to read. */
  get isUsage(): boolean {
    return USAGE_CODES.has(this.code)
  }
}

export interface RawFlags {
  readonly positionals: readonly string[]
  readonly out?: string
  readonly model?: string
  readonly svg?: string
  readonly upload?: string
  readonly replay?: boolean
  readonly json?: boolean
  readonly help?: boolean
}

export type CommandName = 'fit' | 'evaluate' | 'explain'

export type Invocation =
  | { readonly command: 'help' }
  | {
      readonly command: CommandName
      readonly logs: readonly string[]
      readonly json: boolean
      readonly out?: string
      readonly model?: string
      readonly svg?: string
      readonly upload?: string
      readonly replay?: boolean
    }

/** Flags of each command, besides --json. */
const FLAGS = { fit: ['out'], evaluate: ['model', 'svg'], explain: ['upload'] } as const
const VALUE_FLAGS = ['out', 'model', 'svg', 'upload'] as const

export const USAGE = `Usage: upload-predictor fit LOG... --out FILE
       upload-predictor evaluate LOG... [--replay] [--model FILE] [--svg FILE]
       upload-predictor explain LOG... [--upload ID]

Learns from event logs: NDJSON of the client (toNdjson() of its event log, --events
of the demo) and of servers (tus-reconcile-server --log json). Lines that cannot be
read are left out, counted and explained.

  fit             priors and coefficients of the risk model, as a file
  evaluate        what was said against what came: AUC, Brier, log-loss, calibration
  explain         what was known when each copy, split and take-over was started,
                  and what came of it

  --out FILE      the model to write
  --replay        judge this version's risk model, fresh and told what the log tells,
                  in place of what was said then
  --model FILE    a model of "fit", whose calibration corrects what was said
  --svg FILE      the reliability diagram as a picture
  --upload ID     only this upload: the id of its group
  --json          the results as one JSON object
  -h, --help      this

Exits with 0, with 1 where a file cannot be used, with 2 where the call is wrong.
`

/** @throws CommandError */
export function requireInvocation(flags: RawFlags): Invocation {
  const [name, ...logs] = flags.positionals
  if (flags.help || (name === undefined && flags.json === undefined)) return { command: 'help' }
  const command = requireCommand(name)
  for (const flag of VALUE_FLAGS) requireFlagOf(command, flag, flags[flag])
  if (flags.replay && command !== 'evaluate') {
    throw new CommandError('invalidFlag', `--replay is no flag of ${command}; --help tells the flags`)
  }
  if (logs.length === 0) throw new CommandError('noLog', `${command} needs a log: upload-predictor ${command} LOG...`)
  if (command === 'fit' && flags.out === undefined) {
    throw new CommandError('missingFlag', 'fit needs --out FILE, where the model goes')
  }
  const { positionals: _, help: __, json = false, ...rest } = flags
  return { command, logs, json, ...rest }
}

function requireCommand(name: string | undefined): CommandName {
  if (name === 'fit' || name === 'evaluate' || name === 'explain') return name
  const got = name === undefined ? 'none' : `"${name.slice(0, 40)}"`
  throw new CommandError('unknownCommand', `the command is fit, evaluate or explain, got ${got}`)
}

function requireFlagOf(command: CommandName, flag: (typeof VALUE_FLAGS)[number], value: string | undefined): void {
  if (value === undefined) return
  if (!(FLAGS[command] as readonly string[]).includes(flag)) {
    throw new CommandError('invalidFlag', `--${flag} is no flag of ${command}; --help tells the flags`)
  }
  if (value === '') throw new CommandError('invalidFlag', `--${flag} needs a value`)
}
