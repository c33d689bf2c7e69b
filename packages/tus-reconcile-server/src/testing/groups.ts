import { GroupBudgets } from '../groups/budgets.js'
import { Group } from '../groups/group.js'
import type { GroupFacts, GroupPorts } from '../groups/group-facts.js'
import { MemoryIndex } from '../records/memory-index.js'
import { MemoryBackend } from './memory-backend.js'

/** Of a group that its home has agreed to, and of whose file nothing is known but what `facts` say. */
export function factsOf(id: string, facts: Partial<GroupFacts> = {}): GroupFacts {
  return { id, home: 'h', fileId: id, url: null, size: null, maxSize: null, metadata: null, opened: true, ...facts }
}

/** Of a group without others beside it: in memory where `ports` do not say otherwise. Its clock stands. */
export function portsAlone(ports: Partial<GroupPorts> = {}): GroupPorts {
  const [index, files] = [new MemoryIndex(), new MemoryBackend()]
  return { index, files, budgets: new GroupBudgets(), now: () => 0, notify: () => {}, ...ports }
}

export function groupAlone(facts: Partial<GroupFacts>, ports: Partial<GroupPorts> = {}): Group {
  return new Group(factsOf('g', facts), portsAlone(ports))
}
