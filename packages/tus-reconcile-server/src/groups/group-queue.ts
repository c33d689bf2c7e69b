/** One task after another. A task never waits for something that itself needs the queue: only for writes to end. */
export class GroupQueue {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.catch(() => {})
    return result
  }
}
