import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, BYTES, SlowRequest, WireEvents } from './wire-client.js'
import { useWirePair } from './wire-pair.js'

const pair = useWirePair()

rule(
  74,
  'A refusal while the body is still coming MUST be sent at once with `Connection: close`, and is never 2xx',
  async () => {
    const client = pair.client(8 * B)
    const session = await client.open(0, 8 * B)
    const slow = new SlowRequest('PATCH', session.url, {
      ...client.headers(session),
      'Upload-Offset': 1,
      'Content-Type': BYTES,
      'Content-Length': 8 * B - 1,
    })
    slow.request.write(Buffer.alloc(1000))
    const reply = await slow.reply
    expect(reply).toMatchObject({ status: 409, headers: { connection: 'close', 'upload-offset': '0' } })
    await slow.closed
  },
)

rule(76, 'An `offset` event MUST tell a recorded offset: it is an acknowledgement', async () => {
  const client = pair.client(4 * B)
  const session = await client.open(0, 4 * B)
  const stream = await WireEvents.open(pair.home, client.file.client)
  const patch = client.patch(session, 0, client.file.bytes)
  const told = await stream.until(({ data }) => data.type === 'offset' && data.session === session.id)
  const [known] = Object((await client.ask('status')).json).sessions
  expect(Number(known.offset)).toBeGreaterThanOrEqual(Number(told.data.offset))
  expect((await patch).status).toBe(204)
  stream.close()
})

rule(
  77,
  'After `lastEventId` the events that followed it MUST be sent again, or `reset` where they are not known any more',
  async () => {
    const client = pair.client(2 * B)
    const { client: id } = client.file
    const stream = await WireEvents.open(pair.home, id)
    expect(stream.first).toBe(': hb')
    const session = await client.upload(0, 2 * B)
    await stream.until(({ data }) => data.type === 'offset')
    await client.claim(session)
    await client.commit()
    await stream.until(({ data }) => data.type === 'committed')
    stream.close()
    expect(stream.events.map(({ data }) => data.type)).toEqual(expect.arrayContaining(['offset', 'verified']))
    // P178: a load is not sent again
    const kept = (events: WireEvents['events']) => events.filter(({ data }) => data.type !== 'load')
    const [first, ...followed] = kept(stream.events)
    const replay = await WireEvents.open(pair.home, id, first?.id)
    await replay.until(({ data }) => data.type === 'committed')
    replay.close()
    expect(kept(replay.events)).toEqual(followed)
    const foreign = await WireEvents.open(pair.home, id, 'anotherepoch-1')
    await foreign.until(({ data }) => data.type === 'reset')
    foreign.close()
  },
)
