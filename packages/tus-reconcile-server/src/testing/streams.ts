import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { OPERATION_CONTENT_TYPE, parseServerEvent, type ServerEvent } from 'tus-reconcile-protocol'

/** A request whose body the test sends as it likes. */
export class SlowRequest {
  readonly request: ClientRequest
  readonly answer: Promise<{ status: number; headers: IncomingMessage['headers']; text: string }>
  readonly closed: Promise<void>
  constructor(method: string, url: string, headers: Record<string, string | number>) {
    this.request = httpRequest(url, { method, headers, agent: false })
    this.closed = new Promise((resolve) => this.request.once('close', () => resolve()))
    this.answer = new Promise((resolve, reject) => {
      this.request.once('error', reject)
      this.request.once('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        const done = () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          })
        response.once('end', done)
        response.once('error', done)
      })
    })
    this.answer.catch(() => {})
  }
  write(bytes: Uint8Array): void {
    this.request.write(bytes)
  }
  end(): void {
    this.request.end()
  }
  destroy(): void {
    this.request.destroy()
  }
}

/** The event stream of a client. */
export class TestEvents {
  readonly events: { id: string; event: ServerEvent }[] = []
  readonly comments: string[] = []
  readonly ended: Promise<void>
  readonly #abort = new AbortController()
  #waiting: (() => void)[] = []

  constructor(endpoint: string, client: string, lastEventId?: string) {
    this.ended = this.#run(endpoint, { op: 'events', client, lastEventId }).catch(() => {})
  }

  async until(test: (event: ServerEvent) => boolean): Promise<ServerEvent> {
    for (;;) {
      const found = this.events.find(({ event }) => test(event))
      if (found) return found.event
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  async open(): Promise<this> {
    await this.untilComments(1)
    return this
  }

  async untilComments(count: number): Promise<void> {
    while (this.comments.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  close(): void {
    this.#abort.abort()
  }

  async #run(endpoint: string, operation: object): Promise<void> {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Content-Type': OPERATION_CONTENT_TYPE },
      body: JSON.stringify(operation),
      signal: this.#abort.signal,
    })
    if (!response.body || response.status !== 200) throw new Error(`events: ${response.status}`)
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true })
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      for (const part of parts) this.#take(part)
      for (const wake of this.#waiting.splice(0)) wake()
    }
  }

  #take(part: string): void {
    if (part.startsWith(':')) {
      this.comments.push(part)
      return
    }
    const id = /^id: (.*)$/m.exec(part)?.[1] ?? ''
    const data = /^data: (.*)$/m.exec(part)?.[1] ?? ''
    this.events.push({ id, event: parseServerEvent(JSON.parse(data)) })
  }
}
