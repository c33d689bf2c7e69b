import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { B, send, sha256, type WireClient } from '../conformance/wire-client.js'
import { TUS } from '../conformance/wire-http.js'
import { missingOf, rangesOf } from './acknowledged.js'
import type { CrashUpload, Sender } from './crash-traffic.js'

/** Missing ranges are sent at most this often until the commit takes them. */
const MAX_ROUNDS = 5

/** While nobody serves the directory: what was acknowledged lies at its place; a commit is whole or absent. */
export async function examineBytes(directory: string, upload: CrashUpload): Promise<void> {
  const { file, acknowledged } = upload
  const made = await readIfThere(join(directory, file.group))
  if (made && !made.equals(file.bytes)) throw new Error(`file ${file.group}: ${made.length} other bytes`)
  if (acknowledged.isCommitted && !made) throw new Error(`file ${file.group}: committed and not there`)
  const data = made ?? (await readIfThere(join(directory, '.reconcile', 'groups', `${file.group}.data`)))
  for (const { session, bytes, isAlone } of upload.senders) {
    const acked = acknowledged.offsets.get(session.id) ?? 0
    if (!isAlone || acked === 0) continue
    const there = data?.subarray(session.start, session.start + acked)
    if (!there?.equals(bytes.subarray(0, acked))) throw new Error(`session ${session.id}: ${acked} bytes are not there`)
  }
  for (const index of acknowledged.blocks) {
    const range = [index * B, Math.min((index + 1) * B, file.size)] as const
    if (!data?.subarray(...range).equals(file.bytes.subarray(...range))) throw new Error(`block ${index} is not there`)
  }
}

/** After the restart: the server knows all that it had acknowledged. */
export async function examineAnswers(upload: CrashUpload): Promise<void> {
  const { acknowledged, client, file } = upload
  const status = await client.ask('status')
  if (status.status === 404) {
    if (acknowledged.offsets.size + acknowledged.blocks.size > 0) throw new Error(`group ${file.group} is not known`)
    return
  }
  const { state, verified } = status.json
  if (state === 'committed') return
  if (acknowledged.isCommitted || state !== 'open') throw new Error(`group ${file.group} is ${state}`)
  const missing = missingOf(verified, file.size)
  for (const index of acknowledged.blocks) {
    if (missing.some(([start, end]) => index * B >= start && index * B < end)) {
      throw new Error(`block ${index} was verified and is not`)
    }
  }
  for (const sender of upload.senders) await examineSession(upload, sender, missing)
}

async function examineSession(
  upload: CrashUpload,
  { session, isDeleted }: Sender,
  missing: readonly [number, number][],
): Promise<void> {
  const acked = upload.acknowledged.offsets.get(session.id)
  if (acked === undefined) return
  const reply = await upload.client.head(session)
  const isSuperseded = !missing.some(([start, end]) => start < session.end && end > session.start)
  if (reply.status === 410 && (isDeleted || isSuperseded)) return
  const offset = Number(reply.headers.get('upload-offset'))
  if (reply.status !== 200) throw new Error(`session ${session.id} answers ${reply.status}`)
  if (offset < acked) throw new Error(`session ${session.id} stands at ${offset}, ${acked} were acknowledged`)
}

/** The upload goes on from where it stands, by the sessions that are left, and comes out whole. */
export async function finish(directory: string, upload: CrashUpload): Promise<void> {
  const { client, file } = upload
  for (const { session, bytes } of upload.senders) {
    if (!upload.acknowledged.offsets.has(session.id)) continue
    const head = await client.head(session)
    const at = Number(head.headers.get('upload-offset'))
    if (head.status === 200 && at < bytes.length) await client.patch(session, at, bytes.subarray(at))
  }
  for (let round = 0; (await upload.commit()) !== 201 && !upload.acknowledged.isCommitted; round++) {
    if (round === MAX_ROUNDS) throw new Error(`file ${file.group} does not come out: ${await standing(client)}`)
    await sendMissing(upload)
  }
  const answer = await send(`${client.endpoint}/${file.group}`)
  if (!sha256(answer.bytes).equals(sha256(file.bytes))) throw new Error(`file ${file.group} is served with other bytes`)
  const made = await readFile(join(directory, file.group))
  if (!made.equals(file.bytes)) throw new Error(`file ${file.group} has other bytes`)
}

/** Claims what there is, and sends what is verified nowhere by new sessions. */
async function sendMissing(upload: CrashUpload): Promise<void> {
  const { client, file } = upload
  const status = await client.ask('status')
  const [known] = upload.senders
  if (status.status === 200 && known) {
    await client.ask('claim', { claims: [{ session: known.session.id, start: 0, leaves: file.leaves() }] })
  }
  const verified = status.status === 200 ? (await client.ask('status')).json.verified : []
  for (const [start, end] of missingOf(verified, file.size)) {
    const session = client.session(start, end)
    await client.create(session, file.bytes.subarray(start, end))
    await client.claim(session)
    // what it could not bring because somebody else has begun it is free afterwards
    const owners = upload.senders.filter(({ session }) => session.start < end && session.end > start)
    for (const owner of owners) await fetch(owner.session.url, { method: 'DELETE', headers: TUS }).catch(() => {})
  }
}

async function standing(client: WireClient): Promise<string> {
  const status = await client.ask('status')
  return `${status.status} ${status.text} ${JSON.stringify(rangesOf(status.json.verified ?? []))}`
}

/** While nobody serves the directory: the file has served its purpose. */
export async function forget(directory: string, upload: CrashUpload): Promise<void> {
  for (const name of [upload.file.group, `${upload.file.group}.json`]) await rm(join(directory, name), { force: true })
}

function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
