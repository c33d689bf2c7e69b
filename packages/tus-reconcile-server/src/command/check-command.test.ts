import { expect, test } from 'vitest'
import { parseCheckFlags } from './check-command.js'
import { FlagError } from './cli-values.js'

test('every wrong flag is named, with what to do', () => {
  const wrong: [string[], RegExp][] = [
    [['--check'], /--check/],
    [['--check', '--dry-run'], /--check/],
    [['--check', 'd', '--port', '80'], /--port.*alone/],
    [['--check', 'd', '--log', 'xml'], /--log/],
    [['--check', 'd', 'e'], /argument/],
  ]
  for (const [argv, expected] of wrong) {
    expect(() => parseCheckFlags(argv)).toThrow(FlagError)
    expect(() => parseCheckFlags(argv)).toThrow(expected)
  }
})
