import { OPERATION, readJson, TUS } from './wire-http.js'

export interface WireEvent {
  readonly id: string
  readonly data: Readonly<Record<string, unknown>>
}

/** The event stream of one client. */
export class WireEvents {
  readonly events: WireEvent[] = []
  /** What came first. */
  first = ''
  readonly #abort = new AbortController()
  #waiting: (() => void)[] = []

  /** Settles when the stream has begun. */
  static async open(endpoint: string, client: string, lastEventId?: string): Promise<WireEvents> {
    const stream = new WireEvents()
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { ...TUS, 'Content-Type': OPERATION },
      body: JSON.stringify({ op: 'events', client, lastEventId }),
      signal: stream.#abort.signal,
    })
    if (response.status !== 200 || !response.body) throw new Error(`events: ${response.status}`)
    void stream.#read(response.body).catch(() => {})
    while (stream.first === '') await stream.#more()
    return stream
  }

  async until(test: (event: WireEvent) => boolean): Promise<WireEvent> {
    for (;;) {
      const found = this.events.find(test)
      if (found) return found
      await this.#more()
    }
  }

  close(): void {
    this.#abort.abort()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    for await (const piece of body) {
      text += decoder.decode(piece, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  #take(block: string): void {
    if (this.first === '') this.first = block
    const id = /^id: (.*)$/m.exec(block)?.[1]
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (id !== undefined && data !== undefined) this.events.push({ id, data: readJson(data) })
  }
}
