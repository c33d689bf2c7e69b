import { expect, test } from 'vitest'
import { rule } from './rules.js'
import { B, hashOf, newId, send, TUS, WireClient, WireEvents, WireFile } from './wire-client.js'
import { hashAt, headerOf, offsetOf, useWirePair } from './wire-pair.js'

const pair = useWirePair()

/** A second client of the same upload, whose own bytes travel. */
function second(of: WireClient, bytes: Buffer<ArrayBuffer> = of.file.bytes): WireClient {
  const file = Object.assign(new WireFile(bytes), { group: of.file.group })
  return new WireClient(of.endpoint, of.home, file)
}

/** Sends partitions of `blocks` blocks each, in this order, and claims each after it was sent. */
async function sendAll(client: WireClient, order: { blocks: number; leaves: readonly string[] }): Promise<void> {
  const { size } = client.file
  const step = order.blocks * B
  for (let start = 0; start < size; start += step) {
    const end = Math.min(start + step, size)
    const session = client.session(start, end, `b${order.blocks}-${start / B}`)
    await client.create(session, client.file.bytes.subarray(start, end))
    await client.claim(session, order.leaves.slice(start / B, Math.ceil(end / B)))
  }
}

test('two clients that both send everything, in different partitions at once: one file, byte for byte', async () => {
  const one = pair.client(12 * B + 17)
  const two = second(one)
  const leaves = one.file.leaves()
  await Promise.all([sendAll(one, { blocks: 3, leaves }), sendAll(two, { blocks: 5, leaves })])
  const commits = await Promise.all([one.commit(), two.commit()])
  expect(commits.map(({ status }) => status).sort()).toEqual([200, 201])
  expect(new Set(commits.map(({ json }) => json.url)).size).toBe(1)
  expect(await hashAt(commits[0].json.url)).toBe(hashOf(one.file.bytes))
})

test('two clients of which one sends corrupt bytes everywhere: the right ones are in the file, whoever was first', async () => {
  for (const corruptFirst of [true, false]) {
    const right = pair.client(8 * B + 5)
    const wrong = second(right, Buffer.alloc(8 * B + 5, 7))
    const leaves = right.file.leaves()
    const parts = [() => sendAll(wrong, { blocks: 3, leaves }), () => sendAll(right, { blocks: 2, leaves })]
    if (!corruptFirst) parts.reverse()
    await Promise.all(parts.map((part) => part()))
    for (;;) {
      const commit = await right.commit()
      if (commit.status === 201) {
        expect(await hashAt(commit.json.url)).toBe(hashOf(right.file.bytes))
        break
      }
      // what the corrupt client held while the right bytes went by is sent again
      expect(commit.status).toBe(409)
      for (const [start, end] of [commit.json.missing].flat() as [number, number][]) {
        await right.claim(await right.upload(start, end, newId().slice(0, 8)))
      }
    }
  }
})

test('one client at the home, one at a mirror, with other partitions of the same file: one file, byte for byte', async () => {
  const one = pair.client(9 * B)
  const two = second(one).at(pair.mirror)
  const leaves = one.file.leaves()
  await Promise.all([sendAll(one, { blocks: 2, leaves }), sendAll(two, { blocks: 4, leaves })])
  let commit = await two.commit()
  while (commit.status === 202) commit = await two.commit()
  expect([200, 201]).toContain(commit.status)
  expect(await hashAt(commit.json.url)).toBe(hashOf(one.file.bytes))
})

test('two clients of different sources: the second is told of the conflict, and the first one keeps its file', async () => {
  const one = pair.client(3 * B)
  const two = second(one, Buffer.alloc(3 * B, 1))
  await one.claim(await one.upload(0, 3 * B))
  const other = two.session(0, 3 * B, 'other')
  // nothing of it is wanted any more
  expect((await two.create(other, two.file.bytes)).status).toBe(410)
  const claim = await two.claim(other)
  expect([claim.status, claim.json.conflict]).toEqual([409, [[0, 3 * B]]])
  expect((await two.commit()).status).toBe(460)
  expect(await hashAt((await one.commit()).json.url)).toBe(hashOf(one.file.bytes))
})

test('a commit while a ghost still writes wrong bytes: the ghost is stopped, and none of its bytes is in the file', async () => {
  const client = pair.client(6 * B)
  const ghost = second(client, Buffer.alloc(6 * B, 9))
  const session = ghost.session(0, 6 * B, 'ghost')
  await ghost.create(session)
  // it owns the first block and has begun the second
  const slow = await ghost.beginPatch(session, B + 100)
  const feed = setInterval(() => slow.request.write(Buffer.alloc(1000, 9)), 5)
  await client.claim(await client.upload(0, 6 * B, 'whole'))
  let commit = await client.commit()
  while (commit.status === 409) {
    for (const [start, end] of [commit.json.missing].flat() as [number, number][]) {
      await client.claim(await client.upload(start, end, newId().slice(0, 8)))
    }
    commit = await client.commit()
  }
  expect(commit.status).toBe(201)
  const stopped = await slow.reply
  clearInterval(feed)
  expect([410, 423]).toContain(stopped.status)
  expect(await hashAt(commit.json.url)).toBe(hashOf(client.file.bytes))
})

test('the loser hears it three times: in the answer to its body, in an event, and when it looks', async () => {
  const client = pair.client(4 * B)
  const events = await WireEvents.open(pair.home, client.file.client)
  const loser = client.session(0, 4 * B, 'same')
  await client.create(loser)
  const slow = await client.beginPatch(loser, 10)
  await client.claim(await client.upload(0, 4 * B, 'same'))
  expect(await slow.reply).toMatchObject({ status: 410, headers: { 'reconcile-state': 'superseded' } })
  await events.until(({ data }) => data.type === 'superseded' && data.session === loser.id)
  events.close()
  const head = await client.head(loser)
  expect([head.status, headerOf(head, 'reconcile-state')]).toEqual([410, 'superseded'])
  // and a POST that a browser repeats by itself creates nothing
  const again = await client.create(loser, Buffer.alloc(9))
  expect([again.status, headerOf(again, 'reconcile-state')]).toEqual([410, 'superseded'])
})

rule(
  211,
  'A session MUST be reached only by the id of its group: session, client and partition names of a group answer nothing under another one',
  async () => {
    const client = pair.client(2 * B)
    const session = client.session(0, 2 * B)
    await client.create(session, client.file.bytes.subarray(0, 5))
    const stranger = Object.assign(new WireFile(2 * B), { client: client.file.client })
    const other = new WireClient(pair.home, pair.homeId, stranger)
    await other.upload(0, B)
    const stolen = { ...session, url: `${pair.home}/${stranger.group}.${session.id}` }
    const replies = [
      await other.patch(stolen, 5, Buffer.alloc(9)),
      await other.head(stolen),
      await send(stolen.url, { method: 'DELETE', headers: TUS }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([404, 404, 404])
    const drop = await other.ask('plan', { changes: [{ session: session.id, drop: true }] })
    expect(drop.status).toBe(200)
    await other.claim({ ...session }, stranger.leaves())
    expect((await other.ask('status')).json.sessions).not.toMatchObject([{ offset: 5 }])
    // a session of the same name there is another session
    const state = await client.create(session)
    expect([state.status, offsetOf(state), headerOf(state, 'reconcile-state')]).toEqual([200, 5, 'inProgress'])
    await client.patch(session, 5, client.file.bytes.subarray(5))
    await client.claim(session)
    expect(await hashAt((await client.commit()).json.url)).toBe(hashOf(client.file.bytes))
  },
)
