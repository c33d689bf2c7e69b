import { expect } from 'vitest'
import { rule } from './rules.js'
import { B, newId, postPeerMessage, receiverAt, signatureOf } from './wire-client.js'
import { codeOf, headerOf, SECRET, useWirePair } from './wire-pair.js'

const pair = useWirePair()

const report = (): string => JSON.stringify({ op: 'report', from: newId(), group: newId() })

rule(
  214,
  'Every message but `hello` MUST be signed for the `storeId` and `run` that its receiver answers `hello` with, else it is refused with 401',
  async () => {
    const { home, mirror } = pair
    const [to, other] = [await receiverAt(home, SECRET), await receiverAt(mirror, SECRET)]
    expect(to.storeId).toBe(pair.homeId)
    const body = report()
    const statusFor = async (receiver: typeof to) =>
      (await postPeerMessage(home, body, signatureOf({ secret: SECRET, body, to: receiver }))).status
    const nobody = { storeId: '', run: '' }
    for (const wrong of [other, nobody, { ...to, storeId: other.storeId }, { ...to, run: other.run }]) {
      expect(await statusFor(wrong)).toBe(401)
    }
    expect(await statusFor(to)).toBe(404)
    // what one server has taken, another does not
    const signature = signatureOf({ secret: SECRET, body, to })
    expect((await postPeerMessage(home, body, signature)).status).toBe(404)
    expect((await postPeerMessage(mirror, body, signature)).status).toBe(401)
  },
)

rule(
  215,
  'A server MUST make its `run` anew at every start, of 128 random bits of a cryptographic source, and refuse a message for another one with 401 `other-run`, unsigned, whatever its secret',
  async () => {
    const { home } = pair
    const before = await receiverAt(home, SECRET)
    expect(before.run).toMatch(/^[A-Za-z0-9_-]{22}$/)
    const body = report()
    const recorded = signatureOf({ secret: SECRET, body, to: before })
    expect((await postPeerMessage(home, body, recorded)).status).toBe(404)
    await pair.restart()
    const after = await receiverAt(home, SECRET)
    expect([after.storeId, after.run === before.run]).toEqual([before.storeId, false])
    const strangers = signatureOf({ secret: 'another-secret-of-nobody', body, to: before })
    for (const signature of [recorded, strangers]) {
      const reply = await postPeerMessage(home, body, signature)
      expect([reply.status, codeOf(reply.json), headerOf(reply, 'reconcile-signature')]).toEqual([
        401,
        'other-run',
        null,
      ])
      expect(reply.text).not.toContain(after.run)
    }
  },
)

rule(
  216,
  'On 401 `other-run` the sender MUST greet its receiver once more, and repeat the message once if the same store has another `run`; else it is as if the peer had not answered',
  async () => {
    const client = pair.client(B)
    await client.upload(0, B)
    const throughMirror = client.at(pair.mirror)
    expect((await throughMirror.ask('status', { store: pair.homeId })).status).toBe(200)
    await pair.restart()
    expect((await throughMirror.ask('status', { store: pair.homeId })).status).toBe(200)
  },
)
