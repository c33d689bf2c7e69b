import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A program of examples/mounting that runs as a process of its own. */
export interface MountedExample {
  readonly port: number
  /** SIGTERM. Resolves with the exit status, or the name of the signal that ended it. */
  stop(): Promise<number | string>
}

export interface MountedExampleOptions {
  /** The program's file. */
  readonly program: string
  readonly directory: string
  readonly token: string
  /** Default 0: any. */
  readonly port?: number
  readonly peer?: { readonly endpoint: string; readonly secret: string }
}

/** Starts a program and waits until it says that it listens. @throws Error with what it said instead */
export async function startMountedExample(options: MountedExampleOptions): Promise<MountedExample> {
  const { program, directory, token, port = 0, peer } = options
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env.PATH,
      DIRECTORY: directory,
      TOKEN: token,
      PORT: String(port),
      ...(peer ? { PEER: peer.endpoint, SECRET: peer.secret } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit').then(([code, signal]): number | string => code ?? signal)
  return {
    port: await portOf(child, exited),
    stop: async () => {
      child.kill('SIGTERM')
      return exited
    },
  }
}

/** A port that was free just now: for servers that must know each other before they run. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // what listens on a port has an AddressInfo; a string would be a pipe's
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function portOf(child: ChildProcess, exited: Promise<number | string>): Promise<number> {
  let said = ''
  const listening = new Promise<number>((resolve) => {
    child.stderr?.on('data', (chunk) => {
      said += chunk
    })
    child.stdout?.on('data', (chunk) => {
      said += chunk
      const port = /uploads are taken at [\s\S]*port: (\d+)/.exec(said)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
  const ended = exited.then((how) => {
    throw new Error(`the example ended with ${how} before it listened: ${said}`)
  })
  ended.catch(() => {})
  return Promise.race([listening, ended])
}
