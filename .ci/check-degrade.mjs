// What every run of the scenario `degrade` must show beside a file that arrived: node .ci/check-degrade.mjs VERDICT.json
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const verdict = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const { seed, splits, takeovers, copies, losersStopped, pulledAtCommit, sizeLog } = verdict
const say = (what) => `degrade, seed ${seed}: ${what}`

assert.ok(verdict.ok, say('the file arrived and nothing was left'))
assert.ok(splits + takeovers > 0, say('a partition was split or taken over in flight'))
assert.ok(copies.length > 0, say('the end needed a copy'))
assert.ok(
  copies.every((copy) => copy.beforeFailure),
  say('every copy began before its first session had failed'),
)
assert.equal(losersStopped, copies.length, say('every loser was stopped on its server'))
assert.equal(pulledAtCommit, 0, say('the commit moved no bytes'))

// the shrinking near the end is left out: it is every server's
const sized = (server) => sizeLog.filter((entry) => server(entry.server) && entry.reason !== 'endgame')
const primary = sized((server) => server === 0).map((entry) => entry.bytes)
const largest = primary.indexOf(Math.max(...primary))
assert.ok(
  primary.slice(largest).some((bytes) => bytes <= primary[largest] / 2),
  say(`the primary's partitions fell: ${primary}`),
)
console.log(
  say(
    `${splits} splits, ${takeovers} take-overs, ${copies.length} copies, sizes fell and nothing was pulled at the commit`,
  ),
)
