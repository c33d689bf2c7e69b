import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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

test('logs of one name are told apart by their directories, and count once where they are one', async () => {
  const copies = ['one', 'two'].map((name) => join(directory, name, 'degrade.ndjson'))
  for (const copy of copies) {
    await mkdir(dirname(copy))
    await copyFile(LOG, copy)
  }
  const { stdout } = await call('explain', ...copies)
  expect(stdout).toContain('two/degrade.ndjson: 176 events stand in one/degrade.ndjson too, and count once')
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
  const from = lines.findIndex((line) => line.includes('copied 256 KiB of mirror 2 (p10) to mirror 1: in doubt'))
  expect(lines.slice(from + 1, from + 20)).toEqual([
    'risk 96 % (open 37 %, straggle 28 %, link 19 %, server 12 %), late 88 %',
    'what is wrong now: link 19 %, server 12 %, connection waits 0 %, straggles 28 %',
    'silent for 2.35 s, phi 1.4',
    'expected to take 7.21 s more there; elsewhere: 1.15 s at mirror 1, 1.22 s at the primary',
    'usual at its age: risk 3 %; to its log-odds add',
    'because: needs 314 kB/s for the rest, has 37 kB/s (+3.0)',
    'because: slow where others are not: 28 % (+1.0)',
    'because: needs 314 kB/s for the rest, its share of the link is 224 kB/s now, 762 kB/s usually (+0.8)',
    'because: silent 2.3 s, 3 times its usual gap (+0.8)',
    'because: it, its server or its path has stopped: 12 % (+0.6)',
    'because: takes over twice its plan at its rate and age: 88 % (+0.1)',
    'straggle: what is missing is overdue, while others answer (28 %)',
    'link: what is missing is overdue, and others may be as late (18 %)',
    'server: silent 2.3 s, 1.4 s of it while others moved (9 %)',
    'server: failures of this store so far (2 %)',
    'link good with 100 %',
    'a timer of 5 s without progress would have noticed 2.65 s later',
    'a timer of twice the planned 1.59 s would have noticed 0.83 s later',
    '=> the copy won after 0.48 s; the first had nothing more acknowledged meanwhile',
  ])
})

test('evaluate --replay judges this version by the log alone; with a model, one that starts from it', async () => {
  const { stdout } = await call('evaluate', WHOLE, '--replay')
  expect(stdout).toContain("57 assessments are this version's, made anew from what the log tells")
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
