import { onTestFinished } from 'vitest'
import { createNodeClient, type NodeClient } from '../support/wire-protocol.js'

/** How the engine speaks to servers in this run, as its options; until the test ends. */
export function nodeClient(): NodeClient['options'] {
  const client = createNodeClient()
  onTestFinished(() => client.close())
  return client.options
}
