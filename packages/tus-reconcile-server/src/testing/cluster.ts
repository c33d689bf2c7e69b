import { freePort, SECRET, startStore, type TestStore, type TestStoreOptions } from './server.js'

export const endpointOf = (port: number): string => `http://127.0.0.1:${port}/files`

/** Stores that list each other. */
export async function startCluster(
  count: number,
  options: (i: number) => TestStoreOptions = () => ({}),
): Promise<TestStore[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  const stores = await Promise.all(ports.map((port, i) => startMember(ports, port, options(i))))
  await Promise.all(stores.flatMap((store) => stores.map((other) => other !== store && knows(store, other.storeId))))
  return stores
}

export function startMember(ports: number[], port: number, options: TestStoreOptions = {}): Promise<TestStore> {
  const peers = ports.filter((other) => other !== port).map((other) => ({ endpoint: endpointOf(other) }))
  return startStore({ ...options, port, reconcile: { peers, secrets: [SECRET], ...options.reconcile } })
}

export function knows(store: TestStore, peer: string): Promise<unknown> {
  return store.logged((entry) => entry.msg === 'peer known' && entry.store === peer)
}
