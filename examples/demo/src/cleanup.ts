/** What was begun and has to be ended: last begun, first ended; each once. */
export class Cleanup {
  readonly #steps: { readonly what: string; readonly undo: () => unknown }[] = []
  #running: Promise<void> | undefined
  readonly problems: string[] = []

  add(what: string, undo: () => unknown): void {
    this.#steps.push({ what, undo })
  }

  /** Settles when all is ended; what could not be ended is in `problems`. */
  run(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  async #run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo()
      } catch (error) {
        this.problems.push(`${step.what}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    // what was begun while the rest was being ended
    this.#running = undefined
    if (this.#steps.length > 0) await this.run()
  }
}
