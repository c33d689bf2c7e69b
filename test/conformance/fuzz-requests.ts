import type { RawRequest } from './raw-http.js'

/** Facts of an upload that is there, so that requests reach further than the first check. */
export interface Target {
  readonly path: string
  readonly storeId: string
  readonly group: string
  readonly session: string
  readonly client: string
  /** The signature of a peer's message. */
  sign(body: string): string
}

type Random = () => number

const WORDS = [
  '',
  'a',
  '0',
  '-1',
  '1',
  '1.5',
  '1e400',
  '0x10',
  'NaN',
  'null',
  'true',
  '🙂',
  '٣',
  '?1',
  '"',
  '\\',
  ';',
  ',',
]
const NUMBERS = [
  '-0',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
  '262144',
  '262145',
  '00000000001',
]
const PATHS = [
  ...[
    '..',
    '../..',
    '../../etc/passwd',
    '%2e%2e',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '..%5c..%5cwindows',
    '%00',
    'a%00b',
  ],
  ...[
    '%2f',
    '%2Fetc%2Fpasswd',
    '.reconcile',
    '.reconcile/store-id',
    '.reconcile%2fstore-id',
    '.reconcile%2frecords.json',
  ],
  ...[
    '%',
    '%zz',
    '%e0%a4%a',
    '%0d%0aX-Injected:%201',
    'a?b=c',
    '?',
    'con',
    'a'.repeat(300),
    'a'.repeat(5000),
    '.',
    './',
    '*',
  ],
]
const STRANGE = ['\t', '\x01', '\x7f', '\xff\xfe', '\xc3\x28', 'a\x00b', '\u00e9']

const KINDS = ['creation', 'plain', 'patch', 'head', 'delete', 'get', 'operation', 'operation', 'peer'] as const

function pick<T>(random: Random, of: readonly T[]): T {
  const found = of[Math.floor(random() * of.length)]
  if (found === undefined) throw new Error('nothing to pick from')
  return found
}

/** A value that some parser somewhere takes for something else. */
function nasty(random: Random, target: Target): string {
  const long = 2 ** Math.floor(random() * 15)
  return pick(random, [
    () => pick(random, WORDS),
    () => pick(random, NUMBERS),
    () => pick(random, STRANGE),
    () => pick(random, PATHS),
    () => 'A'.repeat(long),
    () => target.group,
    () => `${target.group.slice(0, 21)}/`,
    () => 'http://evil.example/files/x',
    () => `final;${target.path}/${target.group}.${target.session} http://evil.example/a ${target.path}/../b`,
    () => 'sha1 AAAA, md5 ====',
    () => `filename ${'!'.repeat(long)},,b `,
    () => 'bytes=5-2,-0,9007199254740993-',
    () => '\u00e9=?utf-8?',
  ])()
}

function partition(random: Random, target: Target): string {
  const members: [string, string][] = [
    ['group', `"${target.group}"`],
    ['partition', '"p0"'],
    ['session', `"${target.session}"`],
    ['attempt', String(Math.floor(random() * 9))],
    ['client', `"${target.client}"`],
    ['start', '0'],
    ['end', '262144'],
    ['size', '524288'],
    ['home', `"${target.storeId}"`],
  ]
  const index = Math.floor(random() * members.length * 2)
  const broken = members[index]
  if (broken) broken[1] = pick(random, [nasty(random, target), `"${nasty(random, target)}"`, pick(random, NUMBERS)])
  if (random() < 0.1) members.splice(Math.floor(random() * members.length), 1)
  const text = members.map(([name, value]) => `${name}=${value}`).join(', ')
  return random() < 0.1 ? text.slice(0, Math.floor(random() * text.length)) : text
}

const many = (count: number, entry: unknown): unknown[] => Array.from({ length: count }, () => entry)

function deep(depth: number): string {
  return `${'{"op":'.repeat(depth)}1${'}'.repeat(depth)}`
}

function operation(random: Random, target: Target): string {
  const { group, storeId: home, session, client } = target
  const count = pick(random, [0, 1, 4096, 4097, 100_000])
  const number = pick(random, [-1, 0, 1, 262_144, 262_145, 2 ** 40 * 262_144, 2 ** 53, 1e300])
  const leaf = 'A'.repeat(43)
  const common = { group, home, client }
  const json = pick<() => unknown>(random, [
    () => ({ op: 'status', ...common, store: pick(random, [home, client, '..']) }),
    () => ({ op: 'plan', ...common, changes: many(count, { session, end: number }) }),
    () => ({ op: 'plan', ...common, changes: many(count, { session: pick(random, [session, '../x']), drop: true }) }),
    () => ({ op: 'claim', ...common, claims: many(count, { session, start: number, leaves: [leaf] }) }),
    () => ({ op: 'claim', ...common, claims: [{ session, start: number, leaves: many(count, leaf) }] }),
    () => ({ op: 'have', ...common, blocks: many(count, { start: number, leaf }) }),
    () => ({ op: 'commit', ...common, size: number, root: leaf }),
    () => ({ op: 'commit', ...common, group: 'B'.repeat(22), size: number, root: leaf, elsewhere: true }),
    () => ({ op: pick(random, ['events', 'constructor', '__proto__', 'STATUS', '']), ...common, lastEventId: number }),
    () => ({ op: 'terminate', ...common, group: pick(random, ['C'.repeat(22), '..', '%2f', { a: 1 }, null]) }),
    () => pick<unknown>(random, [null, [], 1, 'x', { toString: 1 }, JSON.parse('{"__proto__":{"op":"status"}}')]),
  ])()
  const text = JSON.stringify(json)
  return pick(random, [
    text,
    text,
    text,
    text.slice(0, Math.floor(random() * text.length)),
    deep(pick(random, [10, 50_000])),
  ])
}

function peerMessage(random: Random, target: Target): string {
  const { group, storeId } = target
  const from = pick(random, [storeId, target.client, '..'])
  const number = pick(random, [-1, 0, 262_144, 2 ** 44, 2 ** 53])
  const endpoint = pick(random, ['http://a.example/files', 'file:///etc/passwd', 'http://u:p@a/', '', 'x'.repeat(5000)])
  const headers = [pick(random, [['a', 'b'], ['a b', 'c'], ['a', 'b\r\nc'], ['host', 'x'], ['a']])]
  return JSON.stringify(
    pick(random, [
      { op: 'hello', from },
      { op: 'verified', from, group, blocks: [{ index: number, leaf: 'A'.repeat(43) }] },
      { op: 'superseded', from, group, verified: [{ start: number, end: number * 2 }] },
      { op: 'read', from, group, start: number, end: number + 262_144 },
      { op: 'report', from, group },
      { op: 'ended', from, group, state: pick(random, ['committed', 'open']), url: endpoint },
      { op: 'open', from, endpoint, partition: partition(random, target), metadata: { '../a': null }, headers },
      { op: 'relay', from, endpoint, operation: operation(random, target).slice(0, 2000), headers },
      { op: 'relay', from, endpoint, operation: { op: 'status', group, home: storeId }, headers },
    ]),
  )
}

function targetPath(random: Random, target: Target): string {
  const { path, group, session } = target
  return pick(random, [
    () => path,
    () => `${path}/`,
    () => `${path}/${group}.${session}`,
    () => `${path}/${group}`,
    () => `${path}/${pick(random, PATHS)}`,
    () => `${path}/${group}.${pick(random, PATHS)}`,
    () => `http://evil.example${path}/${group}`,
    () => `//evil.example${path}`,
    () => pick(random, ['*', '/', '/other', 'evil.example:80']),
  ])()
}

/** One request of `seed`'s sequence: a right one of any kind, of which some parts are wrong. */
export function fuzzedRequest(random: Random, target: Target): RawRequest {
  const kind = pick(random, KINDS)
  const sessionPath = `${target.path}/${target.group}.${target.session}`
  const bytes = { 'Content-Type': 'application/offset+octet-stream' }
  const facts: Record<string, string> = { 'Upload-Partition': partition(random, target), 'Tus-Resumable': '1.0.0' }
  const body = 'x'.repeat(pick(random, [0, 1, 1000, 300_000]))
  const json = kind === 'peer' ? peerMessage(random, target) : kind === 'operation' ? operation(random, target) : ''
  const made = {
    creation: [
      'POST',
      target.path,
      { ...facts, ...bytes, 'Upload-Defer-Length': '1', 'Upload-Concat': 'partial' },
      body,
    ],
    plain: ['POST', target.path, { 'Tus-Resumable': '1.0.0', 'Upload-Length': '10', 'Upload-Metadata': 'a YQ==' }, ''],
    patch: ['PATCH', sessionPath, { ...facts, ...bytes, 'Upload-Offset': '0' }, body],
    head: ['HEAD', sessionPath, facts, ''],
    delete: ['DELETE', `${target.path}/nothing`, facts, ''],
    get: ['GET', `${target.path}/${target.group}`, { Range: 'bytes=0-1' }, ''],
    operation: ['POST', target.path, { ...facts, 'Content-Type': 'application/tus-reconcile+json' }, json],
    peer: ['POST', target.path, { ...facts, 'Content-Type': 'application/tus-reconcile-peer+json' }, json],
  } satisfies Record<string, [method: string, path: string, headers: Record<string, string>, body: string]>
  const [method, path, given, content] = made[kind]
  const headers: Record<string, string> = { ...given }
  if (kind === 'peer' && random() < 0.7) headers['Reconcile-Signature'] = target.sign(json)
  return spoil(random, target, { method, target: path, headers: Object.entries(headers), body: content })
}

function spoil(random: Random, target: Target, request: RawRequest): RawRequest {
  const headers = request.headers.map(([name, value]): [string, string] => [name, value])
  let { method, target: path } = request
  const wrongs = Math.floor(random() * 3)
  for (let i = 0; i < wrongs; i++) {
    const at = Math.floor(random() * headers.length)
    pick(random, [
      () => headers[at]?.splice(1, 1, nasty(random, target)),
      () => headers.splice(at, 1),
      () => headers.push([headers[at]?.[0] ?? 'A', nasty(random, target)]),
      () =>
        headers.push([
          pick(random, [
            'Upload-Length',
            'Upload-Offset',
            'Upload-Checksum',
            'Upload-Concat',
            'Range',
            'If-Match',
            'Expect',
            'Host',
            'X-HTTP-Method-Override',
            'X-Forwarded-Host',
            'Forwarded',
            'Origin',
            'X-Request-ID',
            'Last-Event-ID',
          ]),
          nasty(random, target),
        ]),
      () => headers.push(['X-Padding', 'p'.repeat(pick(random, [100, 20_000]))]),
      () => {
        method = pick(random, [
          'PUT',
          'TRACE',
          'QUERY',
          'FOO',
          'post',
          'OPTIONS',
          'PATCH',
          'GET',
          'HEAD',
          'POST',
          'CONNECT',
        ])
      },
      () => {
        path = targetPath(random, target)
      },
    ])()
  }
  const length = pick(random, [
    request.body.length,
    request.body.length,
    request.body.length,
    request.body.length + 5,
    -1,
    'x',
  ])
  const framing: [string, string] =
    random() < 0.05 ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)]
  return {
    method,
    target: path,
    headers: [['Host', 'a.example'], ...headers, framing, ['Connection', 'close']],
    body: request.body,
  }
}
