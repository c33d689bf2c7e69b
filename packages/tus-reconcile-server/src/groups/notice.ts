import type { RangeSet } from 'tus-reconcile-protocol'
import type { Group } from './group.js'
import type { Session } from './session.js'

/** What happened in a group, after it was recorded: for events, peers and the log. */
export type Notice =
  | { readonly kind: 'groupOpened'; readonly group: Group }
  | { readonly kind: 'sessionOpened'; readonly group: Group; readonly session: Session }
  | { readonly kind: 'sessionCompleted'; readonly group: Group; readonly session: Session }
  | { readonly kind: 'sessionEnded'; readonly group: Group; readonly session: Session }
  | { readonly kind: 'bytes'; readonly group: Group; readonly session: Session }
  | { readonly kind: 'offset'; readonly group: Group; readonly session: Session; readonly offset: number }
  | {
      readonly kind: 'verified'
      readonly group: Group
      readonly blocks: readonly number[]
      readonly where: 'here' | 'pulled'
    }
  /** In ranges, for it may be a whole file at once. */
  | { readonly kind: 'verified'; readonly group: Group; readonly ranges: RangeSet; readonly where: 'elsewhere' }
  /** A client was told that it need not send these: they are held here. */
  | { readonly kind: 'reused'; readonly group: Group; readonly blocks: readonly number[] }
  /** They are to come again: their bytes had another digest than was claimed, or nobody has them any more. */
  | {
      readonly kind: 'bad'
      readonly group: Group
      readonly blocks: readonly number[]
      readonly why: 'digest' | 'gone'
    }
  /** One block's bytes, of a copy that was kept aside or of a peer, had another digest than was claimed. */
  | { readonly kind: 'mismatch'; readonly group: Group; readonly of: 'copy' | 'peer' }
  | { readonly kind: 'groupEnded'; readonly group: Group; readonly state: 'committed' | 'terminated' | 'expired' }
