import { fit, readLog } from 'upload-predictor'
import { expect, test } from 'vitest'
import { resolveOptions, type UploadOptions } from './options.js'
import { RateCap } from './rate-cap.js'
import { UploadError } from './upload-error.js'

const ENDPOINT = 'https://up.example.com/files'

/** What a JavaScript application may hand in. */
function resolveAny(options: Record<string, unknown>) {
  return resolveOptions({ endpoint: ENDPOINT, ...options } as UploadOptions)
}

function refusal(options: Record<string, unknown>): UploadError {
  try {
    resolveAny(options)
  } catch (error) {
    if (error instanceof UploadError) return error
    throw error
  }
  throw new Error(`not refused: ${JSON.stringify(options)}`)
}

test('an endpoint is all that is needed; everything else has a default', () => {
  expect(resolveOptions({ endpoint: ENDPOINT })).toEqual({
    endpoint: ENDPOINT,
    mirrors: [],
    metadata: {},
    headers: {},
    partitioning: { minSize: 262_144, maxSize: 67_108_864, initialSize: 1_048_576, targetSeconds: undefined },
    priority: undefined,
    maxSessions: 12,
    redundancy: { threshold: 0.7, budget: 0.05, maxConcurrent: 2 },
    predictor: { priors: undefined, memory: undefined },
    giveUpAfterMs: 600_000,
    commitAt: 'primary',
    streamBuffer: 8_388_608,
  })
})

test('what is given is taken, and only what is missing is filled in', () => {
  const headers = () => ({ Authorization: 'Bearer x' })
  const resolved = resolveOptions({
    endpoint: ENDPOINT,
    headers,
    metadata: { filename: 'a.txt' },
    priority: 'bulk',
    partitioning: { minSize: 524_288, targetSeconds: 0.5 },
    redundancy: { threshold: 0, maxConcurrent: 0 },
    giveUpAfter: 0,
  })
  expect(resolved).toMatchObject({
    headers,
    metadata: { filename: 'a.txt' },
    priority: 'bulk',
    partitioning: { minSize: 524_288, maxSize: 67_108_864, initialSize: 1_048_576, targetSeconds: 0.5 },
    redundancy: { threshold: 0, budget: 0.05, maxConcurrent: 0 },
    giveUpAfterMs: 0,
  })
})

test('redundancy can be switched off', () => {
  expect(resolveOptions({ endpoint: ENDPOINT, redundancy: false }).redundancy).toBe(false)
})

test('a smallest size above the usual largest raises that', () => {
  expect(resolveAny({ partitioning: { minSize: 2 ** 27 } }).partitioning.maxSize).toBe(2 ** 27)
})

test('the options of the caller stay as they are', () => {
  const given = { endpoint: `${ENDPOINT}/`, mirrors: [{ endpoint: 'https://eu.example.com/files/' }] }
  const before = structuredClone(given)
  resolveOptions(given)
  expect(given).toEqual(before)
})

test('addresses are normalized: no slash at the end, no default port, a host in lower case', () => {
  const { endpoint, mirrors } = resolveAny({
    endpoint: 'HTTPS://UP.example.com:443/files//',
    mirrors: ['http://127.0.0.1:1080/files/', { endpoint: 'https://us.example.com/files/', headers: { a: 'b' } }],
  })
  expect(endpoint).toBe('https://up.example.com/files')
  expect(mirrors).toEqual([
    { endpoint: 'http://127.0.0.1:1080/files' },
    { endpoint: 'https://us.example.com/files', headers: { a: 'b' } },
  ])
})

test.each([[undefined], [null], ['']])(
  'without an endpoint (%o) the error says which option to set, and to what',
  (endpoint) => {
    const error = refusal({ endpoint })
    expect(error.code).toBe('no-endpoint')
    expect(error.message).toContain('set the option endpoint to the URL of your tus server')
  },
)

test.each([
  ['files', '"files"'],
  ['/files', '"/files"'],
  ['ftp://up.example.com/files', '"ftp://up.example.com/files"'],
  ['javascript:alert(1)', '"javascript:alert(1)"'],
  [17, '17'],
  [{}, '{}'],
  [false, 'false'],
])('the endpoint %j is refused and quoted', (endpoint, quoted) => {
  const error = refusal({ endpoint })
  expect(error.code).toBe('bad-option')
  expect(error.message).toBe(`endpoint: ${quoted} is no http or https URL; give the endpoint of a tus server`)
})

test.each([
  [['eu.example.com'], '"eu.example.com"'],
  [[''], '""'],
  [[{}], 'undefined'],
  [[{ endpoint: 5 }], '5'],
  [['https://eu.example.com/files', { endpoint: 'ws://eu.example.com' }], '"ws://eu.example.com"'],
])('the mirrors %j are refused, the bad one quoted', (mirrors, quoted) => {
  const error = refusal({ mirrors })
  expect(error.code).toBe('bad-option')
  expect(error.message).toContain(`mirrors: ${quoted} is no http or https URL`)
})

test.each([
  ['partitioning.minSize', { partitioning: { minSize: 0 } }, 'a number from 1, not 0'],
  ['partitioning.minSize', { partitioning: { minSize: '1 MB' } }, 'a number from 1, not "1 MB"'],
  ['partitioning.maxSize', { partitioning: { maxSize: -1 } }, 'a number from 262144, not -1'],
  ['partitioning.maxSize', { partitioning: { minSize: 10, maxSize: 9 } }, 'a number from 10, not 9'],
  ['partitioning.initialSize', { partitioning: { initialSize: 0 } }, 'a number from 1, not 0'],
  ['partitioning.initialSize', { partitioning: { initialSize: [] } }, 'a number from 1, not []'],
  ['partitioning.targetSeconds', { partitioning: { targetSeconds: 0 } }, 'a number from 0.1, not 0'],
  ['partitioning.targetSeconds', { partitioning: { targetSeconds: null } }, 'a number from 0.1, not null'],
  ['redundancy.threshold', { redundancy: { threshold: 1.5 } }, 'a number from 0 to 1, not 1.5'],
  ['redundancy.threshold', { redundancy: { threshold: -0.1 } }, 'a number from 0 to 1, not -0.1'],
  ['redundancy.budget', { redundancy: { budget: -1 } }, 'a number from 0, not -1'],
  ['redundancy.maxConcurrent', { redundancy: { maxConcurrent: 'two' } }, 'a number from 0, not "two"'],
  ['giveUpAfter', { giveUpAfter: -5 }, 'a number from 0, not -5'],
  ['giveUpAfter', { giveUpAfter: '600' }, 'a number from 0, not "600"'],
  ['giveUpAfter', { giveUpAfter: () => 5 }, 'a number from 0, not () => 5'],
])('a bad %s is refused and quoted: %o', (name, options, wanted) => {
  const error = refusal(options)
  expect(error.code).toBe('bad-option')
  expect(error.message).toBe(`${name} must be ${wanted}`)
})

test.each([['home'], [true], [0]])('a file is committed at the primary or at any server, not %j', (commitAt) => {
  expect(refusal({ commitAt }).message).toBe(`commitAt must be 'primary' or 'any', not ${JSON.stringify(commitAt)}`)
})

test('not a number is no number', () => {
  for (const options of [{ giveUpAfter: Number.NaN }, { partitioning: { minSize: Number.NaN } }])
    expect(refusal(options).code).toBe('bad-option')
})

test('the primary among the mirrors is refused, however it is written', () => {
  for (const again of [ENDPOINT, `${ENDPOINT}/`, 'https://UP.EXAMPLE.com:443/files']) {
    const error = refusal({ mirrors: ['https://eu.example.com/files', again] })
    expect(error.code).toBe('bad-option')
    expect(error.message).toContain(`mirrors lists the primary ${ENDPOINT} again`)
  }
})

test('a mirror that is listed twice is refused by name', () => {
  const error = refusal({ mirrors: ['https://eu.example.com/files', { endpoint: 'https://eu.example.com/files/' }] })
  expect(error.code).toBe('bad-option')
  expect(error.message).toBe('mirrors lists https://eu.example.com/files twice; remove one')
})

test('two paths, ports or schemes of one host are two servers', () => {
  const mirrors = ['https://up.example.com/other', 'https://up.example.com:8443/files', 'http://up.example.com/files']
  expect(resolveAny({ mirrors }).mirrors).toEqual(mirrors.map((endpoint) => ({ endpoint })))
})

test('one endpoint by another address of this machine is another way to it', () => {
  const mirrors = [
    { endpoint: ENDPOINT, localAddress: '192.0.2.7' },
    { endpoint: ENDPOINT, localAddress: '2001:db8::7' },
  ]
  expect(resolveAny({ mirrors }).mirrors).toEqual(mirrors)
  const twice = refusal({ mirrors: [mirrors[0], mirrors[0]] })
  expect(twice.message).toBe(`mirrors lists ${ENDPOINT} from 192.0.2.7 twice; remove one`)
})

test.each(['eth0', '', 7, null, 'fe80', 'de.example', '192.0.2.256'])(
  'a local address that is none is refused, and quoted: %j',
  (localAddress) => {
    const error = refusal({ mirrors: [{ endpoint: ENDPOINT, localAddress }] })
    expect(error.code).toBe('bad-option')
    expect(error.message).toContain('must be an IP address of this machine')
  },
)

test('bytes of a file may have a priority of their own', () => {
  const priority = [
    { start: 0, end: 1_000, priority: 'high' },
    { start: -1_000, priority: 'bulk' },
    { start: 5, end: -5, priority: 'normal' },
  ] as const
  expect(resolveAny({ priority }).priority).toEqual(priority)
})

test('NaN is quoted as NaN', () => {
  expect(refusal({ giveUpAfter: Number.NaN }).message).toContain('not NaN')
})

test.each([
  ['a priority that is none', { priority: 'urgent' }, '"urgent"'],
  ['a priority of bytes that is none', { priority: [{ start: 0, end: 9, priority: 'urgent' }] }, '"urgent"'],
  ['a range of priority that is no range', { priority: ['high'] }, '"high"'],
  ['a range without a start', { priority: [{ end: 9, priority: 'high' }] }, 'undefined'],
  ['a range that begins between bytes', { priority: [{ start: 0.5, priority: 'high' }] }, '0.5'],
  ['a range that ends at null', { priority: [{ start: 0, end: null, priority: 'high' }] }, 'null'],
  ['a range that ends before it begins', { priority: [{ start: 9, end: 8, priority: 'high' }] }, 'priority[0].end'],
  ['one that does so from the end', { priority: [{ start: -8, end: -9, priority: 'high' }] }, '-9'],
  ['one mirror that is no list', { mirrors: 'https://eu.example.com/files' }, 'https://eu.example.com/files'],
  ['a mirror that is null', { mirrors: [null] }, 'null'],
  ['a bigint', { giveUpAfter: 10n }, '10'],
  ['an endless smallest size', { partitioning: { minSize: Number.POSITIVE_INFINITY } }, 'Infinity'],
])('%s is refused with a code, and quoted', (_what, options, quoted) => {
  const error = refusal(options)
  expect(error.code).toBe('bad-option')
  expect(error.message).toContain(quoted)
})

const MODEL = fit([readLog({ name: 'log', text: '', sha256: '' })], 0)

test('a fitted model is taken as text and as what the text says; of one that learned nothing nothing is taken', () => {
  const learned = { ...MODEL, gaps: { ...MODEL.gaps, from: 'log' as const } }
  for (const model of [JSON.stringify(learned), learned]) {
    const { priors } = resolveAny({ predictor: { model } }).predictor
    expect(priors).toEqual({ gaps: { meanLog: MODEL.gaps.meanLog, sigma: MODEL.gaps.sigma } })
  }
  expect(resolveAny({ predictor: { model: MODEL } }).predictor.priors).toEqual({})
})

test.each([['{"groups":[]}'], ['no JSON'], [{ ...MODEL, version: 9 }], [{ ...MODEL, gaps: null }], [17], [null]])(
  'the foreign model %j is refused, and it is said what to give',
  (model) => {
    const error = refusal({ predictor: { model } })
    expect(error.code).toBe('bad-option')
    expect(error.message).toMatch(/^predictor\.model: .*upload-predictor fit LOG --out model\.json/)
  },
)

test('a memory is a storage, a path or false; anything else is refused and quoted', () => {
  const storage = { get: async () => undefined, set: async () => {}, delete: async () => {} }
  for (const memory of [storage, 'kept.json', false])
    expect(resolveAny({ predictor: { memory } }).predictor.memory).toBe(memory)
  for (const memory of [true, 17, {}, null]) {
    const { code, message } = refusal({ predictor: { memory } })
    expect([code, message]).toEqual(['bad-option', expect.stringContaining(`not ${JSON.stringify(memory)}`)])
  }
  for (const predictor of ['yes', 3, false]) expect(refusal({ predictor }).code).toBe('bad-option')
})

test('a cap is a rate, or one that uploads share', () => {
  const cap = new RateCap(5_000)
  expect(resolveOptions({ endpoint: ENDPOINT, maxRate: cap }).rateCap).toBe(cap)
  expect(resolveOptions({ endpoint: ENDPOINT, maxRate: 10_000 }).rateCap?.bytesPerSecond).toBe(10_000)
  expect(resolveOptions({ endpoint: ENDPOINT }).rateCap).toBeUndefined()
  expect(() => resolveOptions({ endpoint: ENDPOINT, maxRate: 10 })).toThrow(/maxRate must be 4096 .* not 10/)
})
