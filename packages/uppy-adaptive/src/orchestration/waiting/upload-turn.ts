import * as v from 'valibot'
import type { Journal, KnownFile, Whereabouts } from '../kept/journal.js'
import type { EventLog } from '../log/event-log.js'
import type { Clock, Source, Turns } from '../ports.js'
import { onAbort } from '../timing.js'
import type { PauseGate } from './pause-gate.js'

/** Those who follow are told so often at most how far it is (guess: as often as anybody looks). */
const TELL_MS = 250

const Told = v.object({
  version: v.literal(1),
  ackedBytes: v.number(),
  where: v.variant('kind', [
    v.object({ kind: v.literal('group'), group: v.string(), homeId: v.string(), any: v.optional(v.boolean()) }),
    v.object({ kind: v.literal('plain'), url: v.string() }),
  ]),
})

interface Passing {
  readonly signal: AbortSignal
  /** The page that has its turn has so many bytes of the file acknowledged. */
  readonly onFollowed: (ackedBytes: number) => void
}

/** What a page that followed another knows of its upload: from the journal, or as it was told last. */
export interface Followed {
  readonly known: KnownFile | undefined
  readonly where: Whereabouts | undefined
}

interface TurnParts {
  readonly clock: Clock
  readonly log: EventLog
  readonly gate: PauseGate
  readonly journal: Journal
  readonly turns: Turns | undefined
}

/**
 * Of several pages that upload one file one does, the others follow: they see how far it is, and the next one has its turn
 * when it ends, pauses or is gone. A file without a name, or a host that cannot tell, has no others.
 */
export class UploadTurn {
  readonly #parts: TurnParts
  #waiting = new AbortController()
  #giveBack: (() => void) | undefined
  #heard: Whereabouts | undefined

  constructor(parts: TurnParts) {
    this.#parts = parts
  }

  /**
   * Resolves when the upload is not paused and it is its turn; to where it is, if another page had the turn meanwhile.
   * @throws UploadError `aborted`
   */
  async pass(source: Source, o: Passing): Promise<Followed | undefined> {
    for (;;) {
      await this.#parts.gate.pass(o.signal)
      if (this.#hasTurn) return undefined
      const isFollowing = await this.#take(o)
      if (!this.#hasTurn) continue
      return isFollowing ? { known: await this.#parts.journal.open(source), where: this.#heard } : undefined
    }
  }

  /** Lets the next page have it, or stops waiting. */
  leave(): void {
    this.#waiting.abort()
    this.#giveBack?.()
    this.#giveBack = undefined
  }

  /** Whether another page has it at this moment; otherwise it is ours, until `leave`. */
  async isOthers(): Promise<boolean> {
    if (this.#hasTurn) return false
    const stop = new AbortController()
    await this.#claim(stop.signal, () => stop.abort())
    return stop.signal.aborted
  }

  get #hasTurn(): boolean {
    return this.#giveBack !== undefined
  }

  async #take(o: Passing): Promise<boolean> {
    const waiting = new AbortController()
    this.#waiting = waiting
    const end = onAbort(o.signal, () => waiting.abort())
    const hearing: (() => void)[] = []
    try {
      await this.#claim(waiting.signal, () => {
        this.#parts.log.emit({ type: 'following' })
        hearing.push(this.#hear(o.onFollowed))
      })
    } finally {
      end()
      for (const endHearing of hearing) endHearing()
    }
    return hearing.length > 0
  }

  async #claim(signal: AbortSignal, onTaken: () => void): Promise<void> {
    const { turns, journal } = this.#parts
    const name = journal.name
    if (!turns || name === undefined) {
      this.#giveBack = () => {}
      return
    }
    const giveBack = await turns.take(name, { signal, onTaken })
    if (!giveBack) return
    const endTelling = this.#tell(turns, name)
    this.#giveBack = () => {
      endTelling()
      giveBack()
    }
  }

  #tell(turns: Turns, name: string): () => void {
    const { clock, log, journal } = this.#parts
    const channel = turns.open(name, () => {})
    let toldMs = Number.NEGATIVE_INFINITY
    const off = log.subscribe((event) => {
      const where = journal.where
      if (event.type !== 'progress' || !where || clock.now() - toldMs < TELL_MS) return
      toldMs = clock.now()
      channel.post({ version: 1, ackedBytes: event.ackedBytes, where })
    })
    return () => {
      off()
      channel.close()
    }
  }

  #hear(onFollowed: (ackedBytes: number) => void): () => void {
    const { turns, journal } = this.#parts
    if (!turns || journal.name === undefined) return () => {}
    const channel = turns.open(journal.name, (message) => {
      const told = v.safeParse(Told, message)
      if (!told.success) return
      this.#heard = told.output.where
      onFollowed(told.output.ackedBytes)
    })
    return () => channel.close()
  }
}
