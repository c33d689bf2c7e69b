import { expect, test } from 'vitest'
import { reconcile } from './reconcile.js'
import { testStores } from './testing/stores.js'

const { open } = testStores()

test('peers without a secret, a peer that is no URL and a short secret are refused by name', async () => {
  const { server } = await open()
  expect(() => reconcile(server, { peers: [{ endpoint: 'http://a/files' }] })).toThrow(/secret/)
  expect(() => reconcile(server, { peers: ['nowhere'], secrets: ['0123456789abcdef'] })).toThrow(/URL/)
  expect(() => reconcile(server, { secrets: ['short'] })).toThrow(/16/)
})

test('what a program without types gets wrong is refused by name, and not left out', async () => {
  const { server } = await open()
  const wrong = [
    ['{"secrets":[null]}', /16/],
    ['{"commitAt":"all"}', /commitAt is 'home' or 'any', not all/],
    ['{"dedup":true}', /dedup is \{ scope/],
    ['{"peer":["http://a/files"]}', /no option peer: it has peers, secrets/],
    ['{"constructor":1}', /no option constructor/],
    ['{"logger":{}}', /logger is/],
  ] as const
  for (const [options, expected] of wrong) expect(() => reconcile(server, JSON.parse(options))).toThrow(expected)
})
