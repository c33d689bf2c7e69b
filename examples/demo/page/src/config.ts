/** A server as the page knows it. */
export interface ServerConfig {
  readonly name: string
  readonly endpoint: string
}

/** Where the servers are: the primary first. @throws Error when the demo's server does not say */
export async function loadConfig(): Promise<readonly ServerConfig[]> {
  const answer = await fetch('/config.json')
  const json: unknown = await answer.json()
  if (typeof json !== 'object' || json === null || !('servers' in json) || !Array.isArray(json.servers)) {
    throw new Error('GET /config.json names no servers: start the page with npm run demo')
  }
  return json.servers.map((server: unknown) => parseServer(server))
}

function parseServer(json: unknown): ServerConfig {
  if (typeof json === 'object' && json !== null && 'name' in json && 'endpoint' in json) {
    return { name: String(json.name), endpoint: String(json.endpoint) }
  }
  throw new Error('GET /config.json: a server has a name and an endpoint')
}
