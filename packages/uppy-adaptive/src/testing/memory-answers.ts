import type { PartitionHeader } from 'tus-reconcile-protocol'
import { formatUploadLimit, HEADER, TUS_VERSION } from 'tus-reconcile-protocol'
import type { HttpAnswer } from '../io/http.js'
import type { Refusal } from './memory-refusal.js'
import type { MemoryServer } from './memory-server.js'

type Headers = Readonly<Record<string, string | number | undefined>>

/** What a server says of a session that was found (P20). */
export function answerSession(
  server: MemoryServer,
  of: PartitionHeader,
  status: number,
  more: Headers = {},
): HttpAnswer {
  const group = server.groups.get(of.group)
  const session = group?.sessions.get(of.session)
  if (!group || !session) return answer(status, more)
  group.save()
  const going = session.status === 'completed' ? 'completed' : 'inProgress'
  return answer(status, {
    Location: `${server.endpoint}/${group.id}.${session.id}`,
    'Upload-Offset': session.offset,
    [HEADER.state]: session.ended ?? (group.hasEnded ? group.state : going),
    [HEADER.limit]: formatUploadLimit(server.limit) || undefined,
    ...more,
  })
}

export function refuseSession(server: MemoryServer, of: PartitionHeader, refusal: Refusal): HttpAnswer {
  const { status, state, retryAfterMs } = refusal
  return answerSession(server, of, status, {
    ...(state === undefined ? {} : { [HEADER.state]: state }),
    ...(retryAfterMs === undefined ? {} : { 'Retry-After': retryAfterMs / 1000 }),
  })
}

/** A proxy's answer, not the server's. */
export function tooLarge({ bytes, isTold }: { bytes: number; isTold: boolean }): HttpAnswer {
  return answer(413, isTold ? { [HEADER.limit]: formatUploadLimit({ maxAppendSize: bytes }) } : {})
}

function answer(status: number, headers: Headers): HttpAnswer {
  const all: Headers = { 'Tus-Resumable': TUS_VERSION, ...headers }
  return { status, header: (name) => (all[name] === undefined ? undefined : String(all[name])), body: '' }
}
