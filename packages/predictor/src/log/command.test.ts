import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

// the real command, as it is built
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const LOG = fileURLToPath(new URL('testing/degrade.ndjson', import.meta.url))
const WHOLE = fileURLToPath(new URL('testing/whole.ndjson', import.meta.url))
const SERVERS = fileURLToPath(new URL('testing/servers.ndjson', import.meta.url))
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'upload-predictor-'))
  await writeFile(join(directory, 'empty'), '')
  await writeFile(join(directory, 'foreign'), 'hello\nworld\n')
  await writeFile(join(directory, 'model'), '{"format":"other"}')
})
afterAll(() => rm(directory, { recursive: true, force: true }))

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}
function call(...argv: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...argv], { cwd: directory }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

test('fit writes a model that names its logs by name and SHA-256, and evaluate takes it', async () => {
  const { status, stdout, stderr } = await call('fit', LOG, '--out', 'model.json')
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toContain('Learned from 1 uploads, 19 sessions at 3 servers')
  expect(stdout).toContain('the prior stays')
  expect(stdout).toContain('degrade.ndjson: 314 lines, 176 used, 138 of no use here, 0 left out')
  const model = JSON.parse(await readFile(join(directory, 'model.json'), 'utf8'))
  const sha256 = createHash('sha256')
    .update(await readFile(LOG))
    .digest('hex')
  expect(model.provenance.logs).toEqual([{ name: 'degrade.ndjson', sha256, lines: 314 }])
  const evaluated = await call('evaluate', LOG, WHOLE, '--model', 'model.json')
  expect([evaluated.status, evaluated.stderr]).toEqual([0, ''])
  expect(evaluated.stdout).toContain('the model has learned from degrade.ndjson: these figures flatter it')
})

test('evaluate prints the metrics and the diagram, and draws it', async () => {
  const { status, stdout } = await call('evaluate', WHOLE, '--svg', 'reliability.svg')
  expect(status).toBe(0)
  expect(stdout).toMatch(/count +trouble +untold +no plan +AUC +Brier +skill +log-loss +ECE +recall@5 % +precision/)
  expect(stdout).toContain('Reliability of all assessments')
  expect(await readFile(join(directory, 'reliability.svg'), 'utf8')).toMatch(/^<svg /)
})

test('explain tells one upload in sentences, and the same as JSON', async () => {
  const { stdout } = await call('explain', LOG)
  expect(stdout).toContain('Upload FLY7FCnG7CH-bueAAp85ww (degrade.ndjson, begun 2026-')
  expect(stdout).toContain('=> the copy won after 0.36 s')
  const json = JSON.parse((await call('explain', LOG, '--upload', 'FLY7FCnG7CH-bueAAp85ww', '--json')).stdout)
  expect(json.uploads[0].decisions).toHaveLength(3)
  expect(json.logs[0]).toMatchObject({ name: 'degrade.ndjson', refused: [] })
})

test('explain tells the factors, the alternatives and the timers of a decision, in the order of what was known', async () => {
  const { stdout } = await call('explain', WHOLE)
  const lines = stdout.split('\n').map((line) => line.trim())
  const from = lines.findIndex((line) => line.includes('copied 256 KiB of mirror 1 (p9) to mirror 2'))
  expect(lines.slice(from + 1, from + 14)).toEqual([
    'risk 100 %, late 100 %',
    'what is wrong now: link 28 %, server 21 %, connection waits 0 %, straggles 51 %',
    'silent for 2.62 s, phi 1.6',
    'expected to take 8.58 s more there; elsewhere: 0.85 s at mirror 2, 1.48 s at the primary',
    'because: likely to take over twice its plan (weight 1.00)',
    'because: what is missing is overdue, while others answer (weight 0.51)',
    'because: at 100 % of its forecast, perhaps like everybody (weight 0.27)',
    'because: silent 2.6 s, 1.7 s of it while others moved (weight 0.19)',
    'because: failures of this store so far (weight 0.02)',
    'link good with 99 %',
    'a timer of 5 s without progress would have noticed 2.38 s later',
    'a timer of twice the planned 1.17 s would have noticed 0.29 s earlier',
    '=> the copy won after 0.31 s; the first had nothing more acknowledged meanwhile',
  ])
})

test('evaluate --replay judges this version by the log alone; with a model, one that starts from it', async () => {
  const { stdout } = await call('evaluate', WHOLE, '--replay')
  expect(stdout).toContain("44 assessments are this version's, made anew from what the log tells")
  await call('fit', WHOLE, LOG, '--out', 'both.json')
  const started = await call('evaluate', WHOLE, '--replay', '--model', 'both.json')
  expect([started.status, started.stderr]).toEqual([0, ''])
  expect(started.stdout).not.toBe(stdout)
})

test('help is told when asked for, and when nothing is', async () => {
  for (const argv of [['--help'], ['-h'], [], ['fit', '--help']]) {
    const { status, stdout } = await call(...argv)
    expect(status).toBe(0)
    expect(stdout).toContain('Usage: upload-predictor fit LOG... --out FILE')
  }
})

test.each([
  [['learn', LOG], 2, 'unknownCommand: the command is fit, evaluate or explain, got "learn"'],
  [['fit'], 2, 'noLog: fit needs a log'],
  [['fit', LOG], 2, 'missingFlag: fit needs --out FILE'],
  [['explain', LOG, '--frobnicate'], 2, "invalidFlag: Unknown option '--frobnicate'; --help tells the flags"],
  [['explain', LOG, '--out', 'x'], 2, 'invalidFlag: --out is no flag of explain'],
  [['evaluate', LOG, '--svg'], 2, "invalidFlag: Option '--svg <value>' argument missing"],
  [['evaluate', LOG, '--svg='], 2, 'invalidFlag: --svg needs a value'],
  [['fit', 'empty', '--out', './empty'], 2, 'invalidFlag: ./empty is read from'],
  [['fit', LOG, '--replay', '--out', 'x'], 2, 'invalidFlag: --replay is no flag of fit'],
  [['evaluate', LOG, '--replay'], 1, 'notReplayable: these logs do not tell what the model was told'],
  [['evaluate', LOG], 1, 'noPlan: none of the 72 assessments has a plan to judge by'],
  [['explain', 'nowhere'], 1, 'unreadable: cannot read nowhere: ENOENT'],
  [['explain', '.'], 1, 'unreadable: cannot read .: EISDIR'],
  [['explain', 'empty'], 1, 'emptyLog: empty is empty'],
  [
    ['explain', 'foreign'],
    1,
    'foreignLog: foreign is no event log of an upload: none of its 2 lines is of use; line 1',
  ],
  [['explain', SERVERS], 1, 'noUploads: no log tells of a session'],
  [
    ['explain', LOG, '--upload', 'x'],
    1,
    'unknownUpload: no upload "x" in these logs; there are: FLY7FCnG7CH-bueAAp85ww',
  ],
  [['evaluate', LOG, '--model', 'model'], 1, 'invalidModel: this is no model that "fit" has made: format is "other"'],
  [['fit', LOG, '--out', 'no/such/place'], 1, 'unwritable: cannot write no/such/place: ENOENT'],
])('%j ends with %i and one sentence', async (argv, expected, message) => {
  const [{ status, stdout, stderr }, json] = await Promise.all([call(...argv), call(...argv, '--json')])
  expect(stderr).toContain(`upload-predictor: ${message}`)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect([status, stdout]).toEqual([expected, ''])
  const { error } = JSON.parse(json.stderr)
  expect(message.startsWith(`${error.code}: `)).toBe(true)
})

test('a log cannot steer the terminal that explains it', async () => {
  const log = (await readFile(LOG, 'utf8')).replaceAll('"reason":"', '"reason":"\\u001b]0;owned\\u0007\\u009b2J')
  await writeFile(join(directory, 'steering'), log)
  const { status, stdout } = await call('explain', 'steering')
  expect(status).toBe(0)
  expect(stdout).toContain('\uFFFD]0;owned\uFFFD\uFFFD2J')
  expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})
