import type { ByteRange } from 'tus-reconcile-protocol'
import * as v from 'valibot'
import type { BlockRecord, GroupHeader, SessionRecord } from './partition-index.js'

type Schema<T> = v.GenericSchema<unknown, T>

/** Of all records of groups, in their `v`. Version 1 was one JSON file of whole groups. */
export const RECORD_VERSION = 2

const Offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const Text = v.string()
const Hook = v.picklist(['pending', 'done', 'refused'])

export const HeaderSchema: Schema<GroupHeader> = v.object({
  id: Text,
  home: Text,
  fileId: Text,
  url: v.nullable(Text),
  size: v.nullable(Offset),
  maxSize: v.nullable(Offset),
  metadata: v.nullable(v.record(Text, v.nullable(Text))),
  state: v.picklist(['open', 'committing', 'committed', 'terminated', 'expired']),
  opened: v.boolean(),
  homeMove: v.exactOptional(v.nullable(v.object({ from: v.nullable(Text) }))),
  createdAt: v.number(),
  touchedAt: v.number(),
  participants: v.array(Text),
  toTell: v.array(Text),
  pulledEarly: Offset,
  pulledAtCommit: Offset,
  copied: v.exactOptional(Offset),
  commit: v.nullable(
    v.object({
      size: Offset,
      root: Text,
      hook: Hook,
      refusal: v.nullable(v.object({ status: v.number(), body: Text })),
      sha256: v.optional(v.nullable(Text), null),
      removed: v.exactOptional(v.boolean()),
    }),
  ),
  // not in the first records of this version
  scope: v.optional(v.nullable(Text), null),
})

export const SessionSchema: Schema<SessionRecord> = v.object({
  id: Text,
  partition: Text,
  client: Text,
  start: Offset,
  end: v.nullable(Offset),
  offset: Offset,
  attempt: Offset,
  state: v.picklist(['inProgress', 'completed', 'superseded', 'terminated', 'expired']),
  checksum: v.nullable(Text),
})

export const BlockSchema: Schema<BlockRecord> = v.tupleWithRest(
  [v.picklist(['p', 'h', 'v']), Text],
  v.literal('attached'),
)
export const ClaimSchema: Schema<readonly string[]> = v.array(Text)
export const BadSchema: Schema<true> = v.literal(true)
export const ReportSchema: Schema<string> = Text
export const ElsewhereSchema: Schema<readonly ByteRange[]> = v.array(v.object({ start: Offset, end: Offset }))
export const PlacesSchema: Schema<readonly (readonly [fileId: string, block: number])[]> = v.array(
  v.tuple([Text, Offset]),
)
