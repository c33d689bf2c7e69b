import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

interface Call {
  readonly id: number
  readonly name: string
  readonly parameters: unknown
}

type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string })

/** In a process of the bench: answers calls of the one that started it, and ends with it. */
export function serveCalls(calls: Readonly<Record<string, (parameters: never) => Promise<unknown>>>): void {
  process.on('message', async ({ id, name, parameters }: Call) => {
    try {
      const call = calls[name]
      if (!call) throw new Error(`no call is named ${name}`)
      // the caller's types say what goes with a name; JSON has carried it here
      reply({ id, result: (await call(parameters as never)) ?? null })
    } catch (error) {
      reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit(0))
}

function reply(message: Reply): void {
  process.send?.(message)
}

/** A process of the bench, seen from the one that measures. */
export class BenchProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  #lastId = 0

  /** @param program beside this file, without its ending */
  constructor(program: string) {
    this.#child = fork(fileURLToPath(new URL(`${program}.js`, import.meta.url)), [], { execArgv: ['--expose-gc'] })
    this.#child.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if ('error' in reply) waiting?.reject(new Error(reply.error))
      else waiting?.resolve(reply.result)
    })
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} ended with ${code ?? signal}`))
    })
  }

  call<Result>(name: string, parameters: object = {}): Promise<Result> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (result) => resolve(result as Result), reject })
      this.#child.send({ id, name, parameters })
    })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }
}
