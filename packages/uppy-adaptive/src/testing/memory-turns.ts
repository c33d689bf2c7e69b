import type { Turns } from '../orchestration/ports.js'

/** What the pages of one origin share. */
export class MemoryOrigin {
  readonly #queues = new Map<string, (() => void)[]>()
  readonly #channels = new Set<{ name: string; page: object; onMessage: (message: unknown) => void }>()
  readonly #held = new Map<object, Set<() => void>>()

  /** As a new page sees it; `gone` is its end. */
  open(): { turns: Turns; gone: () => void } {
    const page = {}
    const mine = new Set<() => void>()
    this.#held.set(page, mine)
    const turns: Turns = {
      take: (name, { signal, onTaken }) => this.#take(name, { signal, onTaken, mine }),
      open: (name, onMessage) => {
        const channel = { name, page, onMessage }
        this.#channels.add(channel)
        return {
          post: (message) => {
            for (const other of [...this.#channels])
              if (other.name === name && other !== channel) other.onMessage(structuredClone(message))
          },
          close: () => void this.#channels.delete(channel),
        }
      },
    }
    const gone = () => {
      for (const channel of this.#channels) if (channel.page === page) this.#channels.delete(channel)
      for (const letGo of [...mine]) letGo()
    }
    return { turns, gone }
  }

  /** How many have or want a turn, or listen. */
  get busy(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0) + this.#channels.size
  }

  async #take(
    name: string,
    o: { signal: AbortSignal; onTaken: () => void; mine: Set<() => void> },
  ): Promise<(() => void) | undefined> {
    const queue = this.#queues.get(name) ?? []
    this.#queues.set(name, queue)
    let isMine = queue.length === 0
    let go = () => {}
    const turn = () => go()
    const leave = () => {
      const isFirst = queue[0] === turn
      if (queue.includes(turn)) queue.splice(queue.indexOf(turn), 1)
      o.mine.delete(leave)
      if (isFirst) queue[0]?.()
    }
    queue.push(turn)
    o.mine.add(leave)
    if (isMine) return leave
    o.onTaken()
    await new Promise<void>((resolve) => {
      go = () => {
        isMine = true
        resolve()
      }
      o.signal.addEventListener('abort', () => resolve())
      if (o.signal.aborted) resolve()
    })
    if (isMine && !o.signal.aborted) return leave
    leave()
    return undefined
  }
}
