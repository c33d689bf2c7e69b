/** A pino destination that writes each line for people: time, level, message, then what belongs to it. */
export function textLog(write: (line: string) => void): { write(json: string): void } {
  const levels: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
  return {
    write(json) {
      const entry: unknown = JSON.parse(json)
      if (typeof entry !== 'object' || entry === null) return
      const { level, time, msg, pid: _pid, hostname: _hostname, ...rest } = Object.assign(Object.create(null), entry)
      const facts = Object.entries(rest).map(
        ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      )
      const clock = new Date(Number(time)).toISOString().slice(11, 23)
      write(`${[clock, levels[Number(level)] ?? level, msg, ...facts].join(' ')}\n`)
    },
  }
}
