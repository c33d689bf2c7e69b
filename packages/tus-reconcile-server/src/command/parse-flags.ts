import { type Command, CommanderError } from 'commander'
import { FlagError } from './cli-values.js'

/**
 * The values of the flags of `command`. `undefined` when only help was asked for.
 * @throws FlagError with what `explain` makes of commander's sentence
 */
export function parseFlags<Flags extends object>(
  command: Command,
  argv: readonly string[],
  explain: (sentence: string) => string,
): Flags | undefined {
  command
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    throw new FlagError(explain(oneLine(error.message)))
  }
  return command.opts<Flags>()
}

function oneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
}
