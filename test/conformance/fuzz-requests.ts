import { nasty, operation, PATHS, partition, peerMessage, pick, type Random, type Target } from './fuzz-values.js'
import type { RawRequest } from './raw-http.js'

const KINDS = ['creation', 'plain', 'patch', 'head', 'delete', 'get', 'operation', 'operation', 'peer'] as const

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
