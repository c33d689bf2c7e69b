import { setTimeout as sleep } from 'node:timers/promises'
import { B, type Session, SlowRequest, WireClient, WireEvents, WireFile } from '../conformance/wire-client.js'
import { Acknowledged } from './acknowledged.js'

export type Random = () => number

/** One upload of a range, with the bytes that its client believes in. */
export interface Sender {
  readonly session: Session
  /** From the session's start on. Of a corrupt copy not those of the file. */
  readonly bytes: Buffer<ArrayBuffer>
  /** No other session has bytes of its range: what is acknowledged lies at its place. */
  readonly isAlone: boolean
  /** Its DELETE was sent. */
  isDeleted: boolean
}

/** Told as they pass, so that a kill can follow. */
export interface Milestones {
  /** A session was created. */
  answered(): void
  /** The commit is sent now. */
  committing(): void
}

/** One file on its way, by several sessions at once. */
export class CrashUpload {
  readonly file: WireFile
  readonly acknowledged: Acknowledged = new Acknowledged()
  readonly senders: Sender[] = []
  client: WireClient
  readonly #random: Random

  constructor(at: { readonly endpoint: string; readonly storeId: string }, random: Random) {
    this.#random = random
    this.file = new WireFile(1 + this.#below(9 * B))
    this.client = new WireClient(at.endpoint, at.storeId, this.file)
    this.#planSenders()
  }

  /** All that clients do at one time. */
  async run(milestones: Milestones): Promise<void> {
    const events = await WireEvents.open(this.client.endpoint, this.file.client)
    try {
      await Promise.all(this.senders.map((sender) => this.#send(sender, milestones)))
      await this.#claim(this.senders.map(({ session }) => session))
      milestones.committing()
      await this.commit()
    } finally {
      this.#hear(events)
    }
  }

  /** The server has been started again, at another address. */
  move(at: { readonly endpoint: string; readonly storeId: string }): void {
    this.client = new WireClient(at.endpoint, at.storeId, this.file)
    for (const { session } of this.senders) session.url = `${at.endpoint}/${this.file.group}.${session.id}`
  }

  async commit(): Promise<number> {
    const reply = await this.client.commit()
    if (reply.status === 201 || reply.status === 200) this.acknowledged.isCommitted = true
    return reply.status
  }

  #planSenders(): void {
    const blocks = Math.ceil(this.file.size / B)
    const cut = this.#below(blocks + 1) * B
    const ranges = [
      [0, Math.min(cut, this.file.size)],
      [cut, this.file.size],
    ] as const
    for (const [start, end] of ranges) {
      if (start >= end) continue
      const copies = this.#random() < 0.5 ? 1 : 2
      for (let copy = 0; copy < copies; copy++) {
        const bytes = Buffer.from(this.file.bytes.subarray(start, end))
        const isCorrupt = copy > 0 && this.#random() < 0.5
        if (isCorrupt) bytes.fill(0, this.#below(bytes.length))
        const session = this.client.session(start, end, `p${start / B}`)
        this.senders.push({ session, bytes, isAlone: copies === 1, isDeleted: false })
      }
    }
  }

  async #send(sender: Sender, milestones: Milestones): Promise<void> {
    const { session, bytes } = sender
    await sleep(this.#below(40))
    const first = this.#below(bytes.length + 1)
    const created = await this.client.create(session, bytes.subarray(0, first))
    this.acknowledged.answer(session.id, created)
    milestones.answered()
    for (let at = Number(created.headers.get('upload-offset')); at < bytes.length; ) {
      if (this.#random() < 0.15) await this.#claim([session])
      if (!sender.isAlone && this.#random() < 0.1) return this.#delete(sender)
      const piece = bytes.subarray(at, at + 1 + this.#below(3 * B))
      const status = await (this.#random() < 0.5 ? this.#patch(session, at, piece) : this.#dribble(session, at, piece))
      if (status !== 204) return
      at += piece.length
    }
    if (this.#random() < 0.5) await this.#claim([session])
  }

  async #patch(session: Session, at: number, piece: Buffer<ArrayBuffer>): Promise<number> {
    const reply = await this.client.patch(session, at, piece)
    this.acknowledged.answer(session.id, reply)
    return reply.status
  }

  /** The same in pieces, so that a crash finds it in mid-body. */
  async #dribble(session: Session, at: number, piece: Buffer<ArrayBuffer>): Promise<number> {
    const slow = new SlowRequest('PATCH', session.url, {
      ...this.client.headers(session),
      'Upload-Offset': at,
      'Content-Type': 'application/offset+octet-stream',
      'Content-Length': piece.length,
    })
    for (let sent = 0; sent < piece.length; ) {
      const more = piece.subarray(sent, sent + 1 + this.#below(B))
      slow.request.write(more)
      sent += more.length
      await sleep(this.#below(8))
    }
    slow.request.end()
    const reply = await slow.reply
    this.acknowledged.offset(session.id, Number(reply.headers['upload-offset'] ?? 0))
    return reply.status
  }

  async #claim(sessions: readonly Session[]): Promise<void> {
    const claims = sessions.map(({ id, start, end }) => ({ session: id, start, leaves: this.file.leaves(start, end) }))
    const reply = await this.client.ask('claim', { claims })
    if (reply.status === 200) this.acknowledged.verified(reply.json.verified)
  }

  async #delete(sender: Sender): Promise<void> {
    sender.isDeleted = true
    await fetch(sender.session.url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
  }

  /** What the stream told before it broke is acknowledged too. */
  #hear(events: WireEvents): void {
    events.close()
    for (const { data } of events.events) {
      if (data.type === 'offset') this.acknowledged.offset(String(data.session), Number(data.offset))
      if (data.type === 'verified' && data.group === this.file.group) this.acknowledged.verified(data.ranges)
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}
