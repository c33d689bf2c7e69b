import { expect, test } from 'vitest'
import { explainRefusal } from './refusal-error.js'

test.each([
  [{ cause: '507: the server has no room', code: 'full', status: 507 }, 'server-full', /: free space there/],
  [{ cause: '413: not even 16384 bytes', code: 'refused', status: 413 }, 'too-large', /16384 bytes\): raise its limit/],
  [{ cause: '400: no', code: 'refused', status: 400 }, 'refused', /^http:\/\/up refused the upload \(400: no\)$/],
] as const)('%j is %s, with what the server said and what to do', (end, code, message) => {
  const error = explainRefusal('http://up', end)
  expect(error).toMatchObject({ code, status: end.status })
  expect(error.message).toMatch(message)
})
