/** The least that a connection may queue, whatever the others hold: a chunk or two. */
const leastShareBytes = 4096

/**
 * The room for queued bytes that all connections of a link have together, in one direction. It is handed out in equal
 * shares among those that queue something; a connection whose queue is empty may always read one chunk.
 */
export class QueueRoom {
  readonly #limitBytes: number
  #queuedBytes = 0
  #busyLanes = 0
  #maxQueuedBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** The most that was ever queued at once. */
  get maxQueuedBytes(): number {
    return this.#maxQueuedBytes
  }

  /** A lane's queue went from one length to another. */
  changed(fromBytes: number, toBytes: number): void {
    this.#queuedBytes += toBytes - fromBytes
    this.#busyLanes += Number(toBytes > 0) - Number(fromBytes > 0)
    this.#maxQueuedBytes = Math.max(this.#maxQueuedBytes, this.#queuedBytes)
  }

  /** Whether a lane that queues so many bytes may read more. */
  hasRoom(laneBytes: number): boolean {
    if (laneBytes === 0) return true
    const shareBytes = Math.max(leastShareBytes, this.#limitBytes / Math.max(1, this.#busyLanes))
    return laneBytes < shareBytes && this.#queuedBytes < this.#limitBytes
  }
}
