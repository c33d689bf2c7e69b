import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'

/** A process, told apart from a later one with the same id by when it began. */
export type ProcessFacts = {
  readonly pid: number
  readonly parent: number
  readonly began: string
  readonly name: string
  /** Ended, and only waits to be collected by its parent. */
  readonly isDead: boolean
}

/** All processes that this one or its descendants started and that still run. */
export async function listDescendants(): Promise<ProcessFacts[]> {
  const all = (await listAll()).filter((one) => !one.isDead)
  const family = new Set([process.pid])
  for (let grown = true; grown; ) {
    const before = family.size
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid)
    grown = family.size > before
  }
  return all.filter((one) => one.pid !== process.pid && family.has(one.pid) && one.name !== 'ps')
}

/** Which of these still run. */
export async function stillRunning(known: readonly ProcessFacts[]): Promise<ProcessFacts[]> {
  if (known.length === 0) return []
  const now = (await listAll()).filter((one) => !one.isDead)
  return known.filter((one) => now.some((other) => other.pid === one.pid && other.began === one.began))
}

function listAll(): Promise<ProcessFacts[]> {
  return process.platform === 'linux' ? listProc() : listPs()
}

async function listProc(): Promise<ProcessFacts[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const texts = await Promise.all(names.map((name) => readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')))
  return texts.flatMap((text) => parseStat(text) ?? [])
}

/** proc(5): `pid (name) state ppid … starttime(22nd) …`; the name may hold anything, also parentheses. */
function parseStat(text: string): ProcessFacts | undefined {
  const close = text.lastIndexOf(')')
  if (close < 0) return undefined
  const open = text.indexOf('(')
  const fields = text.slice(close + 2).split(' ')
  return {
    pid: Number(text.slice(0, open)),
    parent: Number(fields[1]),
    began: fields[19] ?? '',
    name: text.slice(open + 1, close),
    isDead: fields[0] === 'Z' || fields[0] === 'X',
  }
}

function listPs(): Promise<ProcessFacts[]> {
  return new Promise((resolve) => {
    execFile('ps', ['-axo', 'pid=,ppid=,stat=,lstart=,comm='], (error, stdout) => {
      resolve(error ? [] : stdout.split('\n').flatMap((line) => parsePs(line) ?? []))
    })
  })
}

function parsePs(line: string): ProcessFacts | undefined {
  const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.{24})\s+(.*)$/.exec(line)
  if (!match) return undefined
  const [, pid, parent, state = '', began = '', name = ''] = match
  return { pid: Number(pid), parent: Number(parent), began, name, isDead: state.startsWith('Z') }
}
