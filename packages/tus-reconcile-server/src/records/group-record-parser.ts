import * as v from 'valibot'
import type { GroupRecord } from './partition-index.js'

const Offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const Text = v.string()
const Session = v.object({
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
const Group = v.object({
  id: Text,
  home: Text,
  fileId: Text,
  url: v.nullable(Text),
  size: v.nullable(Offset),
  maxSize: v.nullable(Offset),
  metadata: v.nullable(v.record(Text, v.nullable(Text))),
  state: v.picklist(['open', 'committing', 'committed', 'terminated', 'expired']),
  opened: v.boolean(),
  createdAt: v.number(),
  touchedAt: v.number(),
  sessions: v.array(Session),
  blocks: v.array(v.tuple([Offset, v.picklist(['p', 'h', 'v']), Text])),
  claims: v.array(v.tuple([Offset, v.array(Text)])),
  bad: v.array(Offset),
  reports: v.array(v.object({ store: Text, blocks: v.array(v.tuple([Offset, Text])) })),
  elsewhere: v.array(v.object({ start: Offset, end: Offset })),
  participants: v.array(Text),
  toTell: v.array(Text),
  pulledEarly: Offset,
  pulledAtCommit: Offset,
  commit: v.nullable(
    v.object({
      size: Offset,
      root: Text,
      hook: v.picklist(['pending', 'done', 'refused']),
      refusal: v.nullable(v.object({ status: v.number(), body: Text })),
    }),
  ),
})
const File = v.object({ version: v.literal(1), groups: v.array(Group) })

/** @throws Error that says where the record is not as this version writes it. */
export function parseGroupRecords(json: unknown): readonly GroupRecord[] {
  const result = v.safeParse(File, json)
  if (result.success) return result.output.groups
  const issue = result.issues[0]
  throw new Error(`the record of groups cannot be read: ${v.getDotPath(issue) ?? 'file'}: ${issue.message}`)
}
