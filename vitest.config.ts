import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/** Packages by their sources, so that a test sees what is being written. */
const SOURCES = [
  { find: /^tus-reconcile-protocol$/, replacement: path('packages/protocol/src/index.ts') },
  { find: /^upload-predictor$/, replacement: path('packages/predictor/src/index.ts') },
  { find: /^uppy-adaptive$/, replacement: path('packages/uppy-adaptive/src/index.ts') },
  { find: /^uppy-adaptive\/upload$/, replacement: path('packages/uppy-adaptive/src/upload.ts') },
  { find: /^tus-reconcile-server$/, replacement: path('packages/tus-reconcile-server/src/index.ts') },
  { find: /^reconcile-test-support\/(.*)$/, replacement: path('test/support/$1.ts') },
  // package.json names what is built
  { find: /^#platform$/, replacement: path('packages/uppy-adaptive/src/io/platform-node.ts') },
]

/** fast-check's seed. */
const PROPERTIES = path('test/support/properties.ts')

/** Two cores: more workers make tests slower, and those that measure time wrong. */
const MAX_WORKERS = 2

/** For what is looked at until it is so: a slow machine takes its time, and the test's own limit ends what never comes. */
const EXPECT = { poll: { timeout: 20_000 } }

/** What runs over HTTP/1.1 only, and why. Every other end-to-end test runs again over HTTP/2 in TLS. */
const HTTP1_ONLY = {
  'test/e2e/local-address.test.ts':
    'an address of its own has only a connection of the engine itself, which speaks HTTP/1.1',
  'test/e2e/mounting.test.ts': 'what a server sees is HTTP/1.1, also behind a proxy that ends HTTP/2',
  'test/e2e/nginx.test.ts': 'each run of it is over both',
  'test/e2e/slow-path.test.ts':
    'forty seconds of three kilobytes each, during which the process of one run in six ended without a word',
  'test/e2e/readme.test.ts': 'its snippets are run as they stand, without a stack that speaks HTTP/2',
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: MAX_WORKERS,
    projects: [
      {
        resolve: { alias: SOURCES },
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'examples/*/src/**/*.test.ts',
            'examples/*/page/**/*.test.ts',
            'test/**/*.test.ts',
          ],
          exclude: ['test/{conformance,e2e,faults}/**', '**/{node_modules,dist}/**'],
          setupFiles: [PROPERTIES],
          expect: EXPECT,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve: { alias: SOURCES },
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          setupFiles: [PROPERTIES],
          expect: EXPECT,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // what is built: browsers load it, and servers run it as processes of their own
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          expect: EXPECT,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'e2e-h2',
          include: ['test/e2e/**/*.test.ts'],
          exclude: Object.keys(HTTP1_ONLY),
          env: { E2E_PROTOCOL: 'h2' },
          setupFiles: [path('test/e2e/http2.setup.ts')],
          globalSetup: path('test/e2e/certificate.setup.ts'),
          expect: EXPECT,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // the command as it is built, killed
        resolve: { alias: SOURCES },
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
