/**
 * What logs are called: the file's name, with as many of its directories as tell it from the others. The same path once
 * more has its count behind it.
 */
export function namesOf(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(/[\\/]+/).filter((part) => part !== ''))
  const named = parts.map((own) => shortest(own, parts))
  const counts = new Map<string, number>()
  return named.map((name) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return count === 1 ? name : `${name} (${count})`
  })
}

function shortest(own: readonly string[], all: readonly (readonly string[])[]): string {
  const whole = own.join('/')
  for (let length = 1; length < own.length; length++) {
    const end = own.slice(-length).join('/')
    if (all.every((other) => other.slice(-length).join('/') !== end || other.join('/') === whole)) return end
  }
  return whole
}
