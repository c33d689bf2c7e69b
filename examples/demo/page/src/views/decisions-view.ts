import type { LoggedEvent } from 'uppy-adaptive/upload'
import { colourOf } from '../colours.js'
import type { ServerConfig } from '../config.js'
import { type DecisionRow, describeDecision } from '../picture/decision-rows.js'

/** Older rows leave the list; the log keeps them. */
const MAX_ROWS = 400

/** The list of decisions. A row like the one before it is counted, not repeated. */
export class DecisionsView {
  readonly #list: HTMLElement
  readonly #servers: readonly ServerConfig[]
  #last: { readonly key: string; readonly count: HTMLElement; times: number } | undefined

  constructor(list: HTMLElement, servers: readonly ServerConfig[]) {
    this.#list = list
    this.#servers = servers
  }

  clear(): void {
    this.#list.replaceChildren()
    this.#last = undefined
  }

  add(event: LoggedEvent): void {
    const row = describeDecision(event, { nameOf: (server) => this.#nameOf(server) })
    if (!row) return
    const key = row.kind === 'relayed' ? row.kind : `${row.kind} ${row.server} ${row.text}`
    if (this.#last?.key === key) {
      this.#last.times += 1
      this.#last.count.textContent = `×${this.#last.times}`
      return
    }
    const { item, count } = this.#createItem(row, event.elapsedMs)
    this.#last = { key, count, times: 1 }
    this.#list.prepend(item)
    while (this.#list.childElementCount > MAX_ROWS) this.#list.lastElementChild?.remove()
  }

  #nameOf(server: number | string): string {
    const known =
      typeof server === 'number' ? this.#servers[server] : this.#servers.find((one) => one.endpoint === server)
    return known?.name ?? `server ${server}`
  }

  #createItem(row: DecisionRow, elapsedMs: number): { item: HTMLElement; count: HTMLElement } {
    const item = document.createElement('li')
    const server = element('span', 'server', row.server === undefined ? '' : this.#nameOf(row.server))
    if (row.server !== undefined) server.style.color = colourOf(row.server)
    const kind = element('span', 'kind', row.kind)
    kind.dataset.tone = row.tone
    const count = element('b', 'count', '')
    item.append(
      element('time', '', `${(elapsedMs / 1000).toFixed(2)} s`),
      kind,
      server,
      element('span', 'text', row.text),
      count,
    )
    return { item, count }
  }
}

function element(name: string, className: string, text: string): HTMLElement {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return made
}
