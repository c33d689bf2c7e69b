import { HEADER, OPERATION_CONTENT_TYPE, parsePartitionHeader } from 'tus-reconcile-protocol'
import { RangesInSight } from './ranges-in-sight.js'
import type { RequestHead } from './request-reader.js'
import type { RequestFollower } from './request-tap.js'

/** Operations are small; what is larger is not read along (guess). */
const MAX_OPERATION_BYTES = 262_144

type PlanChange = { readonly session: string; readonly end?: number; readonly drop?: boolean }

/** What the wires to all servers tell about the upload that runs over them: one file at a time, the newest. */
export class WireWatch {
  #group: string | undefined
  #ranges: RangesInSight | undefined
  readonly #onChange: () => void

  /** @param onChange called whenever more is known */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Undefined until the first bytes of a file were announced. */
  get ranges(): RangesInSight | undefined {
    return this.#ranges
  }

  /** Use as a tap's listener for server number `server`. */
  follow(server: number, head: RequestHead): RequestFollower | undefined {
    if (head.fields.get('content-type')?.startsWith(OPERATION_CONTENT_TYPE) === true) return this.#readOperation(head)
    const text = head.fields.get(HEADER.partition.toLowerCase())
    if (text === undefined || (head.method !== 'POST' && head.method !== 'PATCH') || head.bodyBytes === 0) return
    return this.#followBody(server, head, text)
  }

  #followBody(server: number, head: RequestHead, text: string): RequestFollower | undefined {
    const partition = parseOrNothing(() => parsePartitionHeader(text))
    if (partition?.size === undefined) return undefined
    if (partition.group !== this.#group) {
      this.#group = partition.group
      this.#ranges = new RangesInSight(partition.size)
    }
    const ranges = this.#ranges
    const offset = Number(head.fields.get('upload-offset') ?? 0)
    const { session, start, end = partition.size } = partition
    const name = ranges?.begin({ session, server, from: start + offset, bodyBytes: head.bodyBytes, end })
    this.#onChange()
    if (name === undefined) return undefined
    return {
      onBody: (piece) => ranges?.deliver(name, piece.length),
      onEnd: (how) => {
        ranges?.finish(name, how)
        this.#onChange()
      },
    }
  }

  #readOperation(head: RequestHead): RequestFollower | undefined {
    if (head.bodyBytes > MAX_OPERATION_BYTES) return undefined
    const pieces: Uint8Array[] = []
    return {
      onBody: (piece) => pieces.push(Buffer.from(piece)),
      onEnd: (how) => {
        if (how === 'whole') this.#applyOperation(Buffer.concat(pieces).toString())
      },
    }
  }

  #applyOperation(text: string): void {
    const changes = parseOrNothing(() => readPlan(JSON.parse(text)))
    for (const { session, end, drop } of changes ?? []) {
      if (drop === true) this.#ranges?.drop(session)
      else if (end !== undefined) this.#ranges?.lowerEnd(session, end)
    }
    if (changes) this.#onChange()
  }
}

function readPlan(json: unknown): PlanChange[] | undefined {
  if (typeof json !== 'object' || json === null || !('op' in json) || json.op !== 'plan') return undefined
  if (!('changes' in json) || !Array.isArray(json.changes)) return undefined
  return json.changes.flatMap((change: unknown): PlanChange[] => {
    if (typeof change !== 'object' || change === null || !('session' in change)) return []
    const session = String(change.session)
    if ('drop' in change) return [{ session, drop: true }]
    return 'end' in change && typeof change.end === 'number' ? [{ session, end: change.end }] : []
  })
}

/** What strangers send is none of our business when it cannot be read. */
function parseOrNothing<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
