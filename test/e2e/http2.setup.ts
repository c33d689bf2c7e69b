import { afterAll, afterEach, expect } from 'vitest'
import { takeAllowance, takeCensus, watchOwnRequests } from '../support/wire-census.js'

/** A test that is run again over HTTP/2 speaks it: whoever forgets that would see HTTP/1.1 twice. */
watchOwnRequests()
let ran = 0
let before = takeCensus()

afterEach(() => {
  ran += 1
  const { http1BodyBytes, http1Bodies } = before
  before = takeCensus()
  if (takeAllowance()) return
  expect(before, 'no upload by HTTP/1.1: take clients from nodeClient').toMatchObject({
    http1BodyBytes,
    http1Bodies,
  })
})

afterAll(() => {
  if (ran === 0) return
  const { http2Requests } = takeCensus()
  expect(http2Requests, 'requests by HTTP/2: take links from openWireLink').toBeGreaterThan(0)
})
