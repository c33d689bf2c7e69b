import { BLOCK_SIZE, blockRange } from 'tus-reconcile-protocol'
import { STORE } from '../groups/block-table.js'
import type { Group } from '../groups/group.js'
import type { FileTrace } from '../store/file-trace.js'
import type { StoredBytes } from '../store/range-backend.js'

/** What was found of a group beside its record. */
export interface Evidence {
  /** Its bytes before the commit. */
  readonly data: StoredBytes | undefined
  /** Its file after the commit. */
  readonly file: FileTrace
  /** Blocks that were read and hash to something else than the record says; none where nothing was read. */
  readonly differing?: readonly number[]
}

/**
 * How a record and the bytes disagree, and so what is done:
 * - `bytes-lost`: these blocks are to come again, and sessions stand where their bytes end;
 * - `owner-gone`: blocks that an ended session began are free again;
 * - `placeholder-left`: what holds the file's name is removed;
 * - `commit-cut`: the file is made whole from what is there;
 * - `data-left`: the bytes of a group that has ended are removed.
 */
export type Finding =
  | {
      readonly kind: 'bytes-lost'
      readonly reason: string
      readonly blocks: readonly number[]
      readonly setBack: readonly { readonly session: string; readonly offset: number }[]
    }
  | { readonly kind: 'owner-gone'; readonly reason: string; readonly owners: readonly string[] }
  | { readonly kind: 'placeholder-left'; readonly reason: string }
  | { readonly kind: 'commit-cut'; readonly reason: string }
  | { readonly kind: 'data-left'; readonly reason: string }

/** What is found of a file that was never made. */
export const NO_FILE: FileTrace = { length: undefined, hasInfo: false, isPlaceholder: false }

/**
 * Compares a group's record with what lies in the store. A commit that was only begun is no finding: it is asked for
 * again at every start.
 */
export function diagnose(group: Group, ownStoreId: string, evidence: Evidence): Finding[] {
  // while the bytes are still where they were the file cannot be there
  if (!evidence.data || !evidence.file.isPlaceholder) return diagnoseBeside(group, ownStoreId, evidence)
  const reason = 'the move of its bytes to the name of its file was cut: a placeholder has the name'
  const rest = diagnoseBeside(group, ownStoreId, { ...evidence, file: NO_FILE })
  return [{ kind: 'placeholder-left', reason }, ...rest]
}

function diagnoseBeside(group: Group, ownStoreId: string, evidence: Evidence): Finding[] {
  if (group.hasEnded) return diagnoseEnded(group, ownStoreId, evidence)
  // its bytes are the file already
  if (group.state === 'committing' && !evidence.data && evidence.file.length === group.size) return []
  return [...diagnoseBytes(group, evidence), ...diagnoseOwners(group)]
}

function diagnoseEnded(group: Group, ownStoreId: string, { data, file }: Evidence): Finding[] {
  const isFileHere = group.state === 'committed' && group.home === ownStoreId
  if (isFileHere && file.length === undefined && data) {
    return [{ kind: 'commit-cut', reason: 'it is committed, but its bytes have not become the file' }]
  }
  const left: Finding[] = data
    ? [{ kind: 'data-left', reason: `it is ${group.state}, but its bytes are still there` }]
    : []
  if (!isFileHere || file.length !== group.size || file.hasInfo) return left
  return [
    { kind: 'commit-cut', reason: 'it is committed and its file is there, but not what is known of the file' },
    ...left,
  ]
}

function diagnoseBytes(group: Group, evidence: Evidence): Finding[] {
  const length = evidence.data?.length ?? 0
  const beyond = group.blocks.wholeBlocks().filter((index) => blockRange(index, group.knownSize).end > length)
  const differing = (evidence.differing ?? []).filter((index) => !beyond.includes(index))
  const blocks = [...beyond, ...differing]
  const setBack = offsetsWithout(group, blocks, length)
  if (blocks.length + setBack.length === 0) return []
  const found = evidence.data ? `there are ${length} bytes` : 'there are no bytes'
  const reason =
    differing.length > 0 ? `${differing.length} blocks have other bytes than recorded` : `${found}, more were recorded`
  return [{ kind: 'bytes-lost', reason, blocks, setBack }]
}

/** Where sessions stand that have brought a lost block, or the beginning of one. */
function offsetsWithout(group: Group, lost: readonly number[], length: number): { session: string; offset: number }[] {
  const owners = new Map(group.blocks.owners())
  return [...group.sessions.values()].flatMap((session) => {
    if (!group.isLive(session)) return []
    const at = session.start + session.offset
    const begun = Math.floor(at / BLOCK_SIZE)
    const isCut = at % BLOCK_SIZE > 0 && at > length && owners.get(begun) === session.id
    const gone = [...lost, ...(isCut ? [begun] : [])].map((index) => index * BLOCK_SIZE)
    const first = Math.min(...gone.filter((position) => position >= session.start && position < at))
    return Number.isFinite(first) ? [{ session: session.id, offset: first - session.start }] : []
  })
}

function diagnoseOwners(group: Group): Finding[] {
  const gone = group.blocks.owners().filter(([, owner]) => {
    const session = group.sessions.get(owner)
    return owner !== STORE && !(session && group.isLive(session))
  })
  if (gone.length === 0) return []
  const owners = [...new Set(gone.map(([, owner]) => owner))]
  return [{ kind: 'owner-gone', reason: `whoever began ${gone.length} blocks has ended`, owners }]
}
