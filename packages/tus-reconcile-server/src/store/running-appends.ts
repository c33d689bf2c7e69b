/** Bodies on their way into plain uploads: who removes an upload ends them. */
export class RunningAppends {
  readonly #running = new Map<string, Set<AbortController>>()

  /** Runs `append`, which ends when its signal is aborted: the upload `id` is gone. */
  async run<T>(id: string, append: (removed: AbortSignal) => Promise<T>): Promise<T> {
    const removal = new AbortController()
    const ofUpload = this.#running.get(id) ?? new Set()
    this.#running.set(id, ofUpload.add(removal))
    try {
      return await append(removal.signal)
    } finally {
      ofUpload.delete(removal)
      if (ofUpload.size === 0) this.#running.delete(id)
    }
  }

  end(id: string): void {
    for (const removal of this.#running.get(id) ?? []) removal.abort()
    this.#running.delete(id)
  }
}
