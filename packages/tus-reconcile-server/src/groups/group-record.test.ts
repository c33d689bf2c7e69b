import * as fc from 'fast-check'
import { BLOCK_SIZE } from 'tus-reconcile-protocol'
import { expect, test } from 'vitest'
import { EntryIndex } from '../records/entry-index.js'
import { MemoryEntries } from '../records/memory-index.js'
import type { GroupRecord } from '../records/partition-index.js'
import { FullEntries } from '../testing/full-entries.js'
import { groupAlone, portsAlone } from '../testing/groups.js'
import { STORE } from './block-table.js'
import { Group } from './group.js'
import { Session } from './session.js'

function newGroup(index: EntryIndex): Group {
  return groupAlone({ size: 8 * BLOCK_SIZE }, { index })
}

const index = fc.nat(7)
const name = fc.constantFrom('s0', 's1', 's2')
const leaf = fc.constantFrom('A', 'B', 'C')
const mutation = fc.oneof(
  fc.record({ do: fc.constant('acquire' as const), index, name: fc.oneof(name, fc.constant(STORE)) }),
  fc.record({ do: fc.constant('complete' as const), index, leaf }),
  fc.record({ do: fc.constant('claim' as const), index, leaf }),
  fc.record({
    do: fc.constant('replaced' as const),
    index,
    leaf,
    from: fc.constantFrom('peer' as const, 'attached' as const),
  }),
  fc.record({ do: fc.constant('takeOver' as const), index, name }),
  fc.record({ do: fc.constant('release' as const), name }),
  fc.record({ do: fc.constant('report' as const), index, name, leaf }),
  fc.record({ do: fc.constant('withdraw' as const), index, name }),
  fc.record({ do: fc.constant('elsewhere' as const), index }),
  fc.record({ do: fc.constant('open' as const), name }),
  fc.record({ do: fc.constant('advance' as const), name, by: fc.nat(9) }),
  fc.record({ do: fc.constant('plan' as const), name, index }),
  fc.record({ do: fc.constant('attempt' as const), name }),
  fc.record({ do: fc.constant('end' as const), name }),
  fc.record({ do: fc.constant('mark' as const), name }),
  fc.record({ do: fc.constant('drop' as const), name: fc.constantFrom('u0', 'u1') }),
  fc.record({ do: fc.constant('touch' as const), at: fc.nat(99) }),
)
type Mutation = (typeof mutation extends fc.Arbitrary<infer T> ? T : never) & object

function mutate(group: Group, step: Mutation): void {
  if (step.do === 'acquire') group.blocks.acquire(step.index, step.name, true)
  else if (step.do === 'complete') group.blocks.complete(step.index, step.leaf)
  else if (step.do === 'claim') group.blocks.claim(step.index, step.leaf)
  else if (step.do === 'replaced') group.blocks.replaced(step.index, step.leaf, step.from)
  else if (step.do === 'takeOver') group.blocks.takeOver(step.index, step.name)
  else if (step.do === 'release') group.blocks.release(step.name)
  else if (step.do === 'report') group.blocks.reports.add(step.name, step.index, step.leaf)
  else if (step.do === 'withdraw') group.blocks.reports.delete(step.name, step.index)
  else if (step.do === 'elsewhere') group.blocks.elsewhere = [{ start: 0, end: step.index + 1 }]
  else if (step.do === 'drop') group.unseen.add(step.name, 'superseded')
  else if (step.do === 'touch') group.touchedAt = step.at
  else mutateSession(group, step)
}

function mutateSession(group: Group, step: Extract<Mutation, { name: string }>): void {
  const session = group.sessions.get(step.name)
  if (step.do === 'open' && !session) {
    const facts = { id: step.name, partition: 'p', client: 'c', start: 0, end: null, attempt: 0 }
    group.addSession(new Session(facts))
  }
  if (!session) return
  if (step.do === 'advance') session.offset += step.by
  else if (step.do === 'plan') session.end = step.index * BLOCK_SIZE
  else if (step.do === 'attempt') session.attempt++
  else if (step.do === 'mark') group.statuses.markCompleted(step.name, 'sum')
  else if (step.do === 'end' && group.statuses.get(step.name)?.status === 'inProgress') {
    session.ended = 'terminated'
    group.statuses.end(step.name, 'failed')
  }
}

async function recorded(entries: MemoryEntries): Promise<GroupRecord | undefined> {
  return (await new EntryIndex(entries).load()).groups[0]
}

test('changes that are recorded on the way, some failing and some lost with the process, add up to the whole', async () => {
  const script = fc.array(fc.oneof(mutation, fc.constantFrom('save' as const, 'fail' as const, 'restart' as const)), {
    maxLength: 60,
  })
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const entries = new FullEntries()
      let group = newGroup(new EntryIndex(entries))
      const whole = newGroup(new EntryIndex(new MemoryEntries()))
      for (const step of steps) {
        if (typeof step === 'object') {
          mutate(group, step)
          mutate(whole, step)
        } else if (step === 'restart') {
          await group.save()
          const record = await recorded(entries)
          if (!record) throw new Error('nothing was recorded')
          group = Group.restore(record, portsAlone({ index: new EntryIndex(entries) }))
          // what the store was writing ends with its process
          whole.blocks.release(STORE)
        } else {
          entries.isFull = step === 'fail'
          await group.save().catch(() => {})
          entries.isFull = false
        }
      }
      await group.save()
      const entriesOfWhole = new MemoryEntries()
      await new EntryIndex(entriesOfWhole).save('g', whole)
      expect(await recorded(entries)).toEqual(await recorded(entriesOfWhole))
      for (let i = 0; i < 8; i++) expect(group.blocks.get(i)).toEqual(whole.blocks.get(i))
    }),
    { numRuns: 300 },
  )
})
