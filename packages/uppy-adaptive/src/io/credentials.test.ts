import { expect, test } from 'vitest'
import type { HeaderRequest } from '../orchestration/options.js'
import { Credentials, HeadersError } from './credentials.js'

const REQUEST: HeaderRequest = { endpoint: 'https://up.example.com/files', method: 'PATCH' }
const REFUSED = { kind: 'PATCH', request: REQUEST, status: 401 }

/** An application whose token a refusal changes, when `letGo` is called. */
function application() {
  const asked: HeaderRequest[] = []
  let token = 0
  let letGo = () => {}
  const credentials = new Credentials(async (request) => {
    asked.push(request)
    if (request.refused) {
      await new Promise<void>((resolve) => {
        letGo = resolve
      })
      token += 1
    }
    return { Authorization: `Bearer ${token}` }
  })
  return { asked, credentials, letGo: () => letGo() }
}

test('many refusals at once ask for others once, with the status, and what is sent next waits for them', async () => {
  const { asked, credentials, letGo } = application()
  const old = await Promise.all([credentials.give(REQUEST), credentials.give(REQUEST)])
  const renewals = old.map((given) => credentials.refused(given, REFUSED))
  const next = credentials.give(REQUEST)
  letGo()
  expect(await Promise.all(renewals)).toEqual(['renewed', 'renewed'])
  expect((await next).headers).toEqual({ Authorization: 'Bearer 1' })
  expect(asked.filter(({ refused }) => refused)).toEqual([{ ...REQUEST, refused: { status: 401 } }])
})

test('a refusal of old credentials that comes after the new ones asks nobody', async () => {
  const { asked, credentials, letGo } = application()
  const [early, late] = [await credentials.give(REQUEST), await credentials.give(REQUEST)]
  const renewal = credentials.refused(early, REFUSED)
  letGo()
  await renewal
  expect(await credentials.refused(late, REFUSED)).toBe('renewed')
  expect(asked.filter(({ refused }) => refused).length).toBe(1)
})

test('the same credentials are refused twice, and no third time', async () => {
  const credentials = new Credentials(() => ({ Authorization: 'old' }))
  expect(await credentials.refused(await credentials.give(REQUEST), REFUSED)).toBe('renewed')
  expect(await credentials.refused(await credentials.give(REQUEST), REFUSED)).toBe('refused')
})

test('three different ones in a row are the end, and a success of the same kind of request begins a new row', async () => {
  let count = 0
  const credentials = new Credentials(() => ({ Authorization: String(count++) }))
  const refuse = async () => credentials.refused(await credentials.give(REQUEST), REFUSED)
  expect([await refuse(), await refuse()]).toEqual(['renewed', 'renewed'])
  credentials.accepted('OPTIONS')
  expect(await refuse()).toBe('refused')
  credentials.accepted('PATCH')
  expect(await refuse()).toBe('renewed')
})

test('fixed headers have nobody to ask', async () => {
  const credentials = new Credentials({ Authorization: 'fixed' })
  expect(await credentials.refused(await credentials.give(REQUEST), REFUSED)).toBe('fixed')
})

test('a function that throws is told as such, and asked again at the next refusal', async () => {
  let asked = 0
  const credentials = new Credentials(({ refused }) => {
    if (refused && ++asked === 1) throw new Error('the login is down')
    return { Authorization: String(asked) }
  })
  const given = await credentials.give(REQUEST)
  await expect(credentials.refused(given, REFUSED)).rejects.toThrow(HeadersError)
  expect(await credentials.refused(given, REFUSED)).toBe('renewed')
  expect((await credentials.give(REQUEST)).headers).toEqual({ Authorization: '2' })
})
