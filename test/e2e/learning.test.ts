import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseModel, readLog, runsOf } from 'upload-predictor'
import { AdaptiveUpload } from 'uppy-adaptive/upload'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNodeClient, openWireLink } from '../support/wire-protocol.js'

const command = (name: string): string => fileURLToPath(new URL(`../../packages/${name}/dist/cli.js`, import.meta.url))
const SIZE = 6_000_000

let directory: string
/** Events of the client, a line each, and the server's whole log. */
let client: string[]
let server: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'learning-'))
  const running = await serve()
  const path = join(directory, 'file.bin')
  await writeFile(path, randomBytes(SIZE))
  // of several sessions one may be split and end before its server has all that it was opened for
  const target = { host: '127.0.0.1', port: Number(new URL(running.url).port) }
  const [link, node] = [await openWireLink({ name: 'command', target }), createNodeClient()]
  const endpoint = new URL(new URL(running.url).pathname, link.origin).href
  const upload = new AdaptiveUpload({ path }, { ...node.options, endpoint, maxSessions: 1 })
  await upload.start()
  node.close()
  await link.close()
  client = upload.toNdjson().trimEnd().split('\n')
  running.process.kill('SIGTERM')
  await once(running.process, 'exit')
  server = await readFile(join(directory, 'server.ndjson'), 'utf8')
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** The command on a folder of its own, as an operator runs it: its log goes to a file. */
async function serve(): Promise<{ process: ChildProcess; url: string }> {
  await mkdir(join(directory, 'store'))
  const flags = ['--host', '127.0.0.1', '--port', '0', '--behind-proxy', '--log', 'json']
  const args = ['--directory', join(directory, 'store'), ...flags]
  const log = openSync(join(directory, 'server.ndjson'), 'w')
  const child = spawn(process.execPath, [command('tus-reconcile-server'), ...args], { stdio: ['ignore', 'pipe', log] })
  const [line] = await once(createInterface({ input: child.stdout ?? process.stdin }), 'line')
  return { process: child, url: JSON.parse(line).url }
}

function read(name: string, text: string) {
  return readLog({ name, text, sha256: '' })
}

test('every line of both logs is known: each session of the client is opened and completed at the server', () => {
  const ours = read('client', `${client.join('\n')}\n`)
  const theirs = read('server', server)
  for (const { report } of [ours, theirs]) expect(report).toMatchObject({ refused: [], missing: 0 })
  const [run] = runsOf([ours, theirs])
  const sessions = [...(run?.sessions.keys() ?? [])]
  expect(sessions.length).toBeGreaterThan(0)
  const told = (what: string): Set<string> =>
    new Set(theirs.events.flatMap((event) => (event.type === 'atServer' && event.what === what ? [event.session] : [])))
  expect(told('opened')).toEqual(new Set(sessions))
  expect(told('completed')).toEqual(new Set(sessions))
})

test('what became of sessions after the client’s log stops is taken from the server’s', () => {
  const first = client.findIndex((line) => JSON.parse(line).type === 'session')
  const cut = read('client', `${client.slice(0, first + 1).join('\n')}\n`)
  const endings = (runs: ReturnType<typeof runsOf>): string[] =>
    runs.flatMap(({ sessions }) => [...sessions.values()].map(({ ending }) => ending))
  expect(endings(runsOf([cut]))).toEqual(['unknown'])
  expect(endings(runsOf([cut, read('server', server)]))).toEqual(['completed'])
})

test('the command learns from both, and says what it took from each', async () => {
  const [log, model] = [join(directory, 'client.ndjson'), join(directory, 'model.json')]
  await writeFile(log, `${client.join('\n')}\n`)
  const args = ['fit', log, join(directory, 'server.ndjson'), '--out', model]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [command('predictor'), ...args])
  expect(stderr).toBe('')
  expect(stdout).toMatch(
    new RegExp(`client.ndjson: ${client.length} lines, [1-9]\\d* used, \\d+ of no use here, 0 left out`),
  )
  expect(stdout).toMatch(/server.ndjson: \d+ lines, [1-9]\d* used, \d+ of no use here, 0 left out/)
  const { provenance, startGaps } = parseModel(await readFile(model, 'utf8'))
  expect(provenance.logs.map(({ name }) => name)).toEqual(['client.ndjson', 'server.ndjson'])
  expect(provenance.uploads).toBe(1)
  // a fast machine acknowledges each session at once: no gap between acknowledgements is sure to be seen
  expect(startGaps.seen).toBe(provenance.sessions)
  expect(provenance.sessions).toBeGreaterThan(0)
})
