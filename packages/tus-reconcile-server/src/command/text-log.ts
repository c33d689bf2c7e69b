/** A pino destination that writes each line for people: time, level, message, then what belongs to it. */
export function textLog(write: (line: string) => void): { write(json: string): void } {
  const levels: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
  return {
    write(json) {
      const entry: unknown = JSON.parse(json)
      if (typeof entry !== 'object' || entry === null) return
      const { level, time, msg, pid: _pid, hostname: _hostname, ...rest } = Object.assign(Object.create(null), entry)
      const facts = Object.entries(rest).map(
        ([key, value]) => `${key}=${isPlain(value) ? value : JSON.stringify(value)}`,
      )
      write(`${[new Date(Number(time)).toISOString(), levels[Number(level)] ?? level, msg, ...facts].join(' ')}\n`)
    },
  }
}

/** Whether a value can stand without quotes: it ends where the next fact begins, and is one line. */
function isPlain(value: unknown): boolean {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value)
}
