import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseCliOptions } from './cli-options.js'
import { FlagError } from './cli-values.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reconcile-flags-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

describe('every wrong flag is named, with what to do', () => {
  const cases: [string, (folder: string) => Promise<string[]> | string[], RegExp][] = [
    ['no directory', () => [], /--directory/],
    ['a directory without a value', () => ['--directory'], /--directory/],
    ['a flag as its value', () => ['--directory', '--port', '1'], /--directory|argument/],
    ['an unknown flag', (d) => ['--directory', d, '--speed', 'fast'], /--speed/],
    ['a bad port', (d) => ['--directory', d, '--port', '70000'], /--port/],
    ['a size of an unknown unit', (d) => ['--directory', d, '--max-size', '5 MX'], /--max-size.*20GiB/],
    ['a size of nothing', (d) => ['--directory', d, '--max-size', '0'], /--max-size/],
    ['a size beyond whole numbers', (d) => ['--directory', d, '--max-size', '9999TiB'], /--max-size/],
    ['a time of an unknown unit', (d) => ['--directory', d, '--expire', '2w'], /--expire.*7d/],
    ['a bad path', (d) => ['--directory', d, '--path', 'files'], /--path/],
    ['a path that clients call by another', (d) => ['--directory', d, '--path', '/a/../files'], /--path/],
    ['a path that is taken', (d) => ['--directory', d, '--path', '/metrics'], /--path/],
    ['a bad durability', (d) => ['--directory', d, '--durability', 'cloud'], /--durability is process or disk/],
    ['room of an unknown unit', (d) => ['--directory', d, '--min-free', 'plenty'], /--min-free.*20GiB, or 0/],
    ['a bad log', (d) => ['--directory', d, '--log', 'xml'], /--log/],
    ['an expiry of nothing', (d) => ['--directory', d, '--expire', '0'], /--expire/],
    ['a delay of an unknown unit', (d) => ['--directory', d, '--drain-delay', 'soon'], /--drain-delay.*10m/],
    ['a delay that nobody waits for', (d) => ['--directory', d, '--drain-delay', '11m'], /--drain-delay.*10m/],
    ['a place that is none', (d) => ['--directory', d, '--commit-at', 'mirror'], /--commit-at is home or any/],
    [
      'commits anywhere with fewer than three servers',
      async (d) => [...(await withPeers(d, 'http://a/files')), '--commit-at', 'any'],
      /--commit-at any needs at least two --peer/,
    ],
    ['a peer that is no URL', (d) => ['--directory', d, '--peer', 'eu.example.com'], /--peer/],
    ['a peer with a password', (d) => ['--directory', d, '--peer', 'http://me:pass@a/files'], /--peer/],
    ['a peer without a secret', (d) => ['--directory', d, '--peer', 'http://a/files'], /--secret-file/],
    ['a secret file that is not there', (d) => ['--directory', d, '--secret-file', join(d, 'no')], /--secret-file/],
    [
      'a short secret',
      async (d) => ['--directory', d, '--secret-file', await file(d, 's', 'short\n')],
      /16 characters/,
    ],
    ['a secret file that is a folder', (d) => ['--directory', d, '--secret-file', d], /--secret-file.*EISDIR/],
    ['an empty secret file', async (d) => ['--directory', d, '--secret-file', await file(d, 's', '\n \n')], /is empty/],
    ['a peer that is named twice', (d) => withPeers(d, 'http://a/files', 'http://a:80/files/'), /--peer .* twice/],
    [
      'an internal address that is named twice',
      (d) => withPeers(d, 'https://a/files,http://10.0.0.2/files', 'https://b/files,http://10.0.0.2/files'),
      /--peer http:\/\/10.0.0.2\/files is given twice/,
    ],
    ['the server itself as a peer', (d) => withPeers(d, 'http://127.0.0.1:1080/files'), /--peer .* itself/],
    [
      'the server itself by its internal address',
      (d) => withPeers(d, 'https://a/files,http://[::1]:1080/files'),
      /itself/,
    ],
  ]
  test.each(cases)('%s', async (_name, args, expected) => {
    const argv = await args(directory)
    expect(() => parseCliOptions(argv)).toThrow(FlagError)
    expect(() => parseCliOptions(argv)).toThrow(expected)
  })
})

test('sizes and times have units; secrets and peers come in their order', async () => {
  const argv = await withPeers(directory, 'https://a/files,http://10.0.0.2:1080/files', 'http://127.0.0.1:1081/files')
  const options = parseCliOptions([...argv, '--max-size', '1.5GiB', '--expire', '90m'])
  expect(options).toMatchObject({
    durability: 'process',
    maxSize: 1.5 * 2 ** 30,
    expireMs: 90 * 60_000,
    secrets: ['0123456789abcdef', 'fedcba9876543210'],
    peers: [
      { endpoint: 'https://a/files', internalEndpoint: 'http://10.0.0.2:1080/files' },
      { endpoint: 'http://127.0.0.1:1081/files' },
    ],
  })
  expect(parseCliOptions(['--directory', directory, '--max-size', '20MB'])).toMatchObject({ maxSize: 20_000_000 })
  expect(parseCliOptions(['--directory', directory, '--min-free', '2GiB'])).toMatchObject({ minFreeBytes: 2 ** 31 })
  expect(parseCliOptions(['--directory', directory, '--min-free', '0'])).toMatchObject({ minFreeBytes: 0 })
  expect(parseCliOptions([...argv, '--commit-at', 'any'])).toMatchObject({ commitAt: 'any', drainDelayMs: 0 })
  expect(parseCliOptions(['--directory', directory, '--drain-delay', '0'])).toMatchObject({
    commitAt: 'home',
    drainDelayMs: 0,
  })
  expect(parseCliOptions(['--directory', directory, '--drain-delay', '15'])).toMatchObject({ drainDelayMs: 15_000 })
  expect(parseCliOptions(['--directory', directory, '--expire', '60'])).toMatchObject({ expireMs: 60_000 })
})

async function withPeers(folder: string, ...peers: string[]): Promise<string[]> {
  const secrets = await file(folder, 'secrets', '0123456789abcdef\nfedcba9876543210\n')
  return ['--directory', folder, '--secret-file', secrets, ...peers.flatMap((peer) => ['--peer', peer])]
}

async function file(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}
