import { readFile, rename } from 'node:fs/promises'
import * as v from 'valibot'
import { IndexError } from './index-error.js'
import type { GroupRecord } from './partition-index.js'
import { HeaderSchema, SessionSchema } from './record-schemas.js'

const Index = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const Parts = v.object({
  sessions: v.array(SessionSchema),
  blocks: v.array(v.tuple([Index, v.picklist(['p', 'h', 'v']), v.string()])),
  claims: v.array(v.tuple([Index, v.array(v.string())])),
  bad: v.array(Index),
  reports: v.array(v.object({ store: v.string(), blocks: v.array(v.tuple([Index, v.string()])) })),
  elsewhere: v.array(v.object({ start: Index, end: Index })),
})
const Group = v.intersect([HeaderSchema, Parts])
const File = v.object({ version: v.literal(1), groups: v.array(Group) })

/** The records of version 1, one JSON file of all groups; none if there is no such file. @throws IndexError */
export async function readFirstVersion(path: string): Promise<readonly GroupRecord[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? [] : parse(path, text).map(toRecord)
}

/** It was read and is kept: the file is set aside, so that it is not read again. */
export async function retireFirstVersion(path: string): Promise<void> {
  await rename(path, `${path}.migrated`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

function parse(path: string, text: string): readonly v.InferOutput<typeof Group>[] {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), File), text)
  if (result.success) return result.output.groups
  const issue = result.issues[0]
  throw new IndexError(
    'damaged-records',
    `${path} cannot be read (${v.getDotPath(issue) ?? 'file'}: ${issue.message}): restore it, or move it away to begin without its uploads`,
  )
}

function toRecord(group: v.InferOutput<typeof Group>): GroupRecord {
  const { sessions, blocks, claims, bad, reports, elsewhere, ...header } = group
  return {
    header: { ...header, scope: null },
    sessions,
    blocks: blocks.map(([index, state, text]) => [index, [state, text]]),
    claims,
    bad: bad.map((index) => [index, true]),
    reports: reports.flatMap((report) =>
      report.blocks.map(([index, leaf]): [string, number, string] => [report.store, index, leaf]),
    ),
    elsewhere,
  }
}
