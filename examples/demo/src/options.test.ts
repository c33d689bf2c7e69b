import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FlagError, parseDemoOptions } from './options.js'

function complaint(...argv: string[]): string {
  try {
    parseDemoOptions(argv)
  } catch (error) {
    if (error instanceof FlagError) return error.message
    throw error
  }
  return 'none'
}

describe('flags of the demo', () => {
  it('has a default for each of them', () => {
    expect(parseDemoOptions(['--headless'])).toMatchObject({
      scenario: 'degrade',
      scripted: false,
      seed: 1,
      servers: 3,
      sizeBytes: 64_000_000,
      file: undefined,
      trace: undefined,
      http2: false,
    })
  })

  it('reads sizes with and without units', () => {
    const sizeOf = (text: string) => parseDemoOptions(['--headless', '--size', text])?.sizeBytes
    expect(['1', '64MB', '1.5 MiB', '2gb'].map(sizeOf)).toEqual([1, 64_000_000, 1_572_864, 2_000_000_000])
  })

  it.each([
    [['--scenario', 'storm'], /--scenario.*clean, degrade, blackout, kill, lastmile/],
    [['--seed', '-1'], /--seed.*whole number/],
    [['--seed', '1.5'], /--seed.*whole number/],
    [['--servers', '2'], /--servers.*1 or 3/],
    [['--headless', '--size', 'big'], /--size.*64MB/],
    [['--headless', '--size', '0'], /--size.*from 1/],
    [['--frobnicate'], /--frobnicate.*--help/],
    [['extra'], /too many arguments/],
    [['--headless', '--file', '/no/such/file'], /--file \/no\/such\/file cannot be read \(ENOENT\)/],
    [['--headless', '--file', tmpdir()], /is no file: name one, not a folder/],
    [['--headless', '--json', '/no/such/folder/x.json'], /--json .* cannot be written \(ENOENT\)/],
    [['--headless', '--screenshot', join(tmpdir(), 'x.jpg')], /must end in \.png/],
    [['--headless', '--json', '--events'], /--json has no value|argument missing/],
    [['--json', 'x.json'], /--json needs --headless/],
    [['--http2'], /--http2 needs --headless/],
    [['--trace', '/no/such/file'], /--trace \/no\/such\/file cannot be read \(ENOENT\)/],
    [
      ['--trace', import.meta.filename],
      /is no trace: options.test.ts, line 1: expected a head line start_ms,dur_ms,mbps/,
    ],
    [['--scenario', 'blackout', '--servers', '1'], /blackout needs mirrors.*--servers 3/],
    [['--headless', '--file', import.meta.filename, '--size', '1MB'], /--size.*leave one of them out/],
  ])('refuses %j in one line that names the flag and the remedy', (argv, expected) => {
    const message = complaint(...argv)
    expect(message).toMatch(expected)
    expect(message).not.toContain('\n')
  })
})
