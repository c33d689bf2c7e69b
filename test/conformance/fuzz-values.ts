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

export type Random = () => number

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
export const PATHS = [
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

export function pick<T>(random: Random, of: readonly T[]): T {
  const found = of[Math.floor(random() * of.length)]
  if (found === undefined) throw new Error('nothing to pick from')
  return found
}

/** A value that some parser somewhere takes for something else. */
export function nasty(random: Random, target: Target): string {
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

export function partition(random: Random, target: Target): string {
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

export function operation(random: Random, target: Target): string {
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

export function peerMessage(random: Random, target: Target): string {
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
