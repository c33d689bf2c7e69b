import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** The boundaries of DESIGN 3: every rule is tried on a planted violation, in a copy of the workspace's configuration. */

const IMPORTS = 'lint/style/noRestrictedImports'
const GLOBALS = 'lint/style/noRestrictedGlobals'
const NODE = 'lint/correctness/noNodejsModules'
const PROPERTIES = 'lint/nursery/noJsRestrictedProperties'
const CYCLES = 'lint/suspicious/noImportCycles'
const PLUGIN = 'plugin'
const BOUNDARIES = new Set([IMPORTS, GLOBALS, NODE, PROPERTIES, CYCLES, PLUGIN])

const PREDICTOR = 'packages/predictor/src/planted.ts'
const PREDICTOR_LOG = 'packages/predictor/src/log/planted.ts'
const PREDICTOR_CLI = 'packages/predictor/src/cli.ts'
const PROTOCOL = 'packages/protocol/src/planted.ts'
const CLIENT = 'packages/uppy-adaptive/src'
const PARTITIONING = `${CLIENT}/partitioning/planted.ts`
const REDUNDANCY = `${CLIENT}/redundancy/planted.ts`
const ORCHESTRATION = `${CLIENT}/orchestration/planted.ts`
const TRANSFER = `${CLIENT}/orchestration/transfer/planted.ts`
const IO = `${CLIENT}/io/planted.ts`
const PLATFORM_NODE = `${CLIENT}/io/platform-node.ts`
const UPLOAD = `${CLIENT}/upload.ts`
const INDEX = `${CLIENT}/index.ts`
const UPPY = `${CLIENT}/uppy/planted.ts`
const SERVER = 'packages/tus-reconcile-server/src'
const RECORDS = `${SERVER}/records/planted.ts`
const GROUPS = `${SERVER}/groups/planted.ts`
const STORE = `${SERVER}/store/planted.ts`
const PEERS = `${SERVER}/peers/planted.ts`
const LIMITS = `${SERVER}/limits/planted.ts`
const BODIES = `${SERVER}/bodies/planted.ts`
const PLAIN = `${SERVER}/plain/planted.ts`
const DEDUP = `${SERVER}/dedup/planted.ts`
const RECOVERY = `${SERVER}/recovery/planted.ts`
const HANDLERS = `${SERVER}/handlers/planted.ts`
const EXCHANGE = `${SERVER}/handlers/exchange/planted.ts`
const PLAIN_HANDLERS = `${SERVER}/handlers/plain/planted.ts`
const OPERATIONS = `${SERVER}/handlers/operations/planted.ts`
const SESSIONS = `${SERVER}/handlers/sessions/planted.ts`
const COMMAND = `${SERVER}/command/planted.ts`
const CLI = `${SERVER}/cli.ts`
const RECONCILE = `${SERVER}/reconcile.ts`
const PARTS = `${SERVER}/parts.ts`
const START = `${SERVER}/start.ts`

const SERVER_ROOMS = [RECORDS, GROUPS, STORE, PEERS, LIMITS, BODIES, PLAIN, DEDUP, RECOVERY, COMMAND]
const HANDLER_ROOMS = [HANDLERS, EXCHANGE, PLAIN_HANDLERS, OPERATIONS, SESSIONS]
const COMPOSITION = [RECONCILE, PARTS, START]
const PURE = [PREDICTOR, PREDICTOR_LOG, PROTOCOL, PARTITIONING, REDUNDANCY]

type Row = [file: string, statement: string, rule: string]

/** One row for each module, or each statement, that a file must not have. */
function forbid(files: readonly string[], rule: string, statements: readonly string[]): Row[] {
  return files.flatMap((file) => statements.map((statement): Row => [file, statement, rule]))
}

function imports(...modules: string[]): string[] {
  return modules.map((module) => `import '${module}'`)
}

const FORBIDDEN: Row[] = [
  // (a) pure rooms
  ...forbid(PURE, NODE, imports('node:fs', 'node:crypto', 'fs', 'node:timers/promises')),
  ...forbid(PURE, GLOBALS, [
    'export const a = Date.now()',
    'export const b = new Date()',
    'export const c = performance.now()',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'clearTimeout(1)',
    'queueMicrotask(() => {})',
    'export const d = fetch("https://x")',
    'export const e = new XMLHttpRequest()',
    'export const f = crypto.randomUUID()',
    'export const g = globalThis.performance',
    'export const h = window.name',
    'export const i = document.title',
    'export const j = navigator.onLine',
    'export const k = localStorage.length',
    'export const l = location.href',
    'export const m = process.pid',
    'export const n = Buffer.alloc(1)',
    'console.log(1)',
    'export type Clock = typeof Date',
  ]),
  ...forbid(PURE, PROPERTIES, [
    'export const x = Math.random()',
    "export const y = Math['random']()",
    'export const { random } = Math',
  ]),
  ...forbid(PURE, PLUGIN, ["export type Z = import('@uppy/core').Uppy"]),
  ...forbid(
    [PREDICTOR, PREDICTOR_LOG],
    IMPORTS,
    imports('tus-reconcile-protocol', 'uppy-adaptive', 'valibot', '../index.js'),
  ),
  ...forbid([PREDICTOR_CLI], IMPORTS, imports('uppy-adaptive', 'valibot', './risk.js')),
  ...forbid([PROTOCOL], IMPORTS, imports('upload-predictor', 'uppy-adaptive/upload', 'tus-reconcile-server')),
  ...forbid([PROTOCOL], IMPORTS, ["export * from '../../predictor/src/risk.js'"]),
  ...forbid(
    [PARTITIONING, REDUNDANCY],
    IMPORTS,
    imports(
      '../orchestration/ports.js',
      '../io/http.js',
      '../uppy/adaptive-tus.js',
      '../upload.js',
      './../orchestration/options.js',
      'tus-js-client',
      '@uppy/core',
      'tus-reconcile-server',
    ),
  ),
  ...forbid([PARTITIONING, REDUNDANCY], IMPORTS, [
    "export type { Clock } from '../orchestration/ports.js'",
    "export const late = import('../orchestration/transfer/transfer.js')",
  ]),
  ...forbid([PARTITIONING], IMPORTS, imports('../redundancy/hedge-policy.js', 'upload-predictor')),

  // (b) orchestration
  ...forbid(
    [ORCHESTRATION],
    IMPORTS,
    imports('../io/http.js', '../uppy/file-binding.js', '../upload.js', '#platform', 'tus-js-client', '@uppy/core'),
  ),
  ...forbid([ORCHESTRATION], IMPORTS, imports('tus-reconcile-server', '../../../tus-reconcile-server/src/index.js')),
  ...forbid(
    [TRANSFER],
    IMPORTS,
    imports('../../io/http.js', '../../upload.js', '../../testing/simulated-clock.js', '#platform', 'tus-js-client'),
  ),
  ...forbid([ORCHESTRATION, TRANSFER], NODE, imports('node:fs/promises', 'node:crypto', 'timers')),
  ...forbid([ORCHESTRATION], PLUGIN, ["export type Z = import('../io/http.js').HttpCall"]),
  ...forbid([ORCHESTRATION, TRANSFER], GLOBALS, [
    'export const a = fetch("https://x")',
    'export const b = new XMLHttpRequest()',
    'export const c = localStorage.length',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'export const d = Date.now()',
    'export const e = performance.now()',
    'export const f = crypto.randomUUID()',
    'export const g = globalThis.fetch',
    'export const h = process.pid',
    'console.log(1)',
  ]),
  ...forbid([ORCHESTRATION], PROPERTIES, ['export const x = Math.random()']),

  // (c) io, and what stands above it
  ...forbid(
    [IO, PLATFORM_NODE],
    IMPORTS,
    imports(
      '../orchestration/transfer/transfer.js',
      '../orchestration/upload/upload-engine.js',
      '../partitioning/partition-plan.js',
      '../redundancy/hedge-policy.js',
      '../uppy/adaptive-tus.js',
      '../upload.js',
      '@uppy/core',
      '@uppy/core/utils',
      'tus-reconcile-server',
    ),
  ),
  ...forbid([IO, UPLOAD, UPPY], NODE, imports('node:fs')),

  // (d) server
  ...forbid(
    [RECORDS],
    IMPORTS,
    imports(
      '../groups/group.js',
      '../store/range-store.js',
      '../handlers/exchange/site.js',
      '../peers/peers.js',
      '@tus/server',
    ),
  ),
  ...forbid(
    [GROUPS],
    IMPORTS,
    imports(
      '../store/range-backend.js',
      '../handlers/exchange/site.js',
      '../peers/peers.js',
      '../reconcile.js',
      '@tus/server',
    ),
  ),
  ...forbid([GROUPS], IMPORTS, imports('node:fs', 'node:http', 'pino')),
  ...forbid([...SERVER_ROOMS, CLI], IMPORTS, imports('../handlers/mount.js', '../handlers/exchange/site.js')),
  ...forbid([CLI], IMPORTS, imports('./handlers/mount.js')),
  ...forbid([STORE, PEERS, LIMITS, BODIES], IMPORTS, imports('../plain/plain-store.js', '../reconcile.js')),
  ...forbid([PEERS, LIMITS, BODIES], IMPORTS, imports('../store/range-store.js')),
  ...forbid([PLAIN, DEDUP, RECOVERY], IMPORTS, imports('../peers/peers.js', '../command/cli-values.js', '../parts.js')),
  ...forbid([EXCHANGE, PLAIN_HANDLERS, OPERATIONS, SESSIONS], IMPORTS, imports('../mount.js', '../peer-message.js')),
  ...forbid([EXCHANGE, PLAIN_HANDLERS, OPERATIONS], IMPORTS, imports('../sessions/session-request.js')),
  ...forbid([EXCHANGE, PLAIN_HANDLERS, SESSIONS], IMPORTS, imports('../operations/op-commit.js')),
  ...forbid([EXCHANGE, OPERATIONS, SESSIONS], IMPORTS, imports('../plain/plain-mount.js')),

  // (f) between packages
  ...forbid([UPLOAD, INDEX, UPPY], IMPORTS, imports('tus-reconcile-server', '../../tus-reconcile-server/src/index.js')),
  ...forbid([UPLOAD], IMPORTS, imports('@uppy/core', '@uppy/tus')),
  ...forbid(
    [...SERVER_ROOMS, ...HANDLER_ROOMS, ...COMPOSITION, CLI],
    IMPORTS,
    imports('uppy-adaptive', 'uppy-adaptive/upload'),
  ),
]

/** What the same rooms may have: a rule that refuses everything would pass the rows above. */
const ALLOWED: [file: string, statement: string][] = [
  ...[...PURE, ORCHESTRATION].flatMap((file): [string, string][] => [
    [file, "import './neighbour.js'"],
    [file, 'export const o = Math.max(1, 2)'],
    [file, 'export const own = (Date: number) => Date'],
    [file, 'export const bytes = new Uint8Array(1)'],
  ]),
  [PREDICTOR_LOG, "import '../evaluation/auc.js'"],
  [PREDICTOR_LOG, "import '../predictor-error.js'"],
  [PREDICTOR_CLI, "import 'node:fs'"],
  [PREDICTOR_CLI, "import './log/read-log.js'"],
  [PREDICTOR_CLI, 'export const now = Date.now()'],
  [PROTOCOL, "import 'valibot'"],
  [PROTOCOL, "import 'structured-headers'"],
  [PROTOCOL, "import 'js-base64'"],
  [PARTITIONING, "import 'tus-reconcile-protocol'"],
  [REDUNDANCY, "import '../partitioning/partition-plan.js'"],
  [REDUNDANCY, "import 'upload-predictor'"],
  [ORCHESTRATION, "import '../partitioning/partition-plan.js'"],
  [ORCHESTRATION, "import '../redundancy/hedge-policy.js'"],
  [ORCHESTRATION, "import 'upload-predictor'"],
  [ORCHESTRATION, "import './transfer/transfer.js'"],
  [TRANSFER, "import '../../partitioning/partition-plan.js'"],
  [TRANSFER, "import '../ports.js'"],
  [TRANSFER, "import '../sessions/session-runner.js'"],
  [IO, "import '../orchestration/ports.js'"],
  [IO, "import '../orchestration/options.js'"],
  [IO, "import '../orchestration/upload-error.js'"],
  [IO, "import '#platform'"],
  [IO, "import 'tus-js-client'"],
  [IO, 'export const now = performance.now()'],
  [PLATFORM_NODE, "import 'node:fs/promises'"],
  [UPLOAD, "import './io/http.js'"],
  [UPLOAD, "import './orchestration/upload/upload-engine.js'"],
  [INDEX, "export { default } from './uppy/adaptive-tus.js'"],
  [INDEX, "import '@uppy/core'"],
  [UPPY, "import '@uppy/core'"],
  [UPPY, "import '../upload.js'"],
  [RECORDS, "import 'node:fs/promises'"],
  [GROUPS, "import '../records/partition-index.js'"],
  [GROUPS, "import 'node:crypto'"],
  [STORE, "import '../groups/block-file.js'"],
  [STORE, "import '@tus/utils'"],
  [PEERS, "import '../groups/group.js'"],
  [LIMITS, "import '../tus-request.js'"],
  [PLAIN, "import '../bodies/checksum.js'"],
  [PLAIN, "import '../store/range-store.js'"],
  [DEDUP, "import '../records/content-index.js'"],
  [RECOVERY, "import '../store/range-store.js'"],
  [COMMAND, "import '../reconcile.js'"],
  [HANDLERS, "import './sessions/session-post.js'"],
  [HANDLERS, "import '../groups/group.js'"],
  [HANDLERS, "import '../store/range-store.js'"],
  [EXCHANGE, "import '../../plain/plain-store.js'"],
  ...[PLAIN_HANDLERS, OPERATIONS, SESSIONS].flatMap((file): [string, string][] => [
    [file, "import '../exchange/site.js'"],
    [file, "import '../../groups/group.js'"],
    [file, "import '../../bodies/request-body.js'"],
  ]),
  [PLAIN_HANDLERS, "import '../../plain/plain-store.js'"],
  ...COMPOSITION.map((file): [string, string] => [file, "import './handlers/mount.js'"]),
  // tests may use whatever they need
  ...[...PURE, ORCHESTRATION, GROUPS].flatMap((file): [string, string][] =>
    [
      "import 'node:fs'",
      "import '../uppy-adaptive/src/uppy/adaptive-tus.js'",
      "import '../handlers/exchange/site.js'",
      'setTimeout(() => {}, 1)',
      'export const x = Math.random()',
      "export type Z = import('@uppy/core').Uppy",
    ].map((statement) => [file.replace('.ts', '.test.ts'), statement]),
  ),
]

const CYCLIC = ['packages/predictor/src', `${CLIENT}/orchestration`, `${SERVER}/groups`, 'test/support']

interface Diagnostic {
  readonly severity: string
  readonly category: string
  readonly location: { readonly path: string; readonly start: { readonly line: number } }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
/** What biome says, by `file:line`. */
const said = new Map<string, Set<string>>()
/** The line of each statement, by `file` and statement. */
const lines = new Map<string, string>()
let copy = ''

function plant(): Map<string, string[]> {
  const files = new Map<string, string[]>()
  for (const [file, statement] of [...FORBIDDEN, ...ALLOWED]) {
    const statements = files.get(file) ?? []
    statements.push(statement)
    files.set(file, statements)
    lines.set(`${file} ${statement}`, `${file}:${statements.length}`)
  }
  for (const room of CYCLIC) {
    files.set(`${room}/first.ts`, ["import { second } from './second.js'", 'export const first = () => second'])
    files.set(`${room}/second.ts`, ["import { third } from './third.js'", 'export const second = () => third'])
    files.set(`${room}/third.ts`, ["import { first } from './first.js'", 'export const third = () => first'])
    files.set(`${room}/fourth.ts`, ["import { third } from './third.js'", 'export const fourth = () => third'])
  }
  return files
}

function lint(): Promise<string> {
  const biome = join(root, 'node_modules/.bin/biome')
  const flags = ['lint', '--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json', '.']
  return new Promise((resolve, reject) => {
    // it exits with 1 where it finds something: what it says decides
    execFile(biome, flags, { cwd: copy, maxBuffer: 2 ** 28 }, (error, stdout) =>
      stdout.startsWith('{') ? resolve(stdout) : reject(error ?? new Error(`biome said ${stdout.slice(0, 500)}`)),
    )
  })
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'uppy-adaptive-boundaries-'))
  const files = [...plant()].map(([file, statements]) => [file, `${statements.join('\n')}\n`] as const)
  for (const [file, text] of files) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await writeFile(join(copy, file), text)
  }
  for (const file of ['biome.json', 'test/lint/import-types.grit']) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await copyFile(join(root, file), join(copy, file))
  }
  const { diagnostics } = JSON.parse(await lint()) as { diagnostics: Diagnostic[] }
  // a file that cannot be parsed is not linted, and would pass
  expect(diagnostics.filter(({ category }) => category.startsWith('parse'))).toEqual([])
  for (const { severity, category, location } of diagnostics) {
    if (severity !== 'error' || !BOUNDARIES.has(category)) continue
    const at = `${location.path}:${location.start.line}`
    said.set(at, (said.get(at) ?? new Set()).add(category))
  }
})
afterAll(async () => {
  await rm(copy, { recursive: true, force: true })
})

function rulesAt(file: string, statement: string): string[] {
  return [...(said.get(lines.get(`${file} ${statement}`) ?? '') ?? [])]
}

test.each(FORBIDDEN)('%s must not say `%s` (%s)', (file, statement, rule) => {
  expect(rulesAt(file, statement)).toContain(rule)
})

test.each(ALLOWED)('%s may say `%s`', (file, statement) => {
  expect(rulesAt(file, statement)).toEqual([])
})

test.each(CYCLIC)('files of %s that import one another in a circle are refused, those beside it are not', (room) => {
  for (const name of ['first', 'second', 'third'])
    expect([...(said.get(`${room}/${name}.ts:1`) ?? [])]).toEqual([CYCLES])
  expect(said.get(`${room}/fourth.ts:1`)).toBeUndefined()
})
