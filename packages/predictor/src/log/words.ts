export function server(index: number | undefined): string {
  return index === undefined ? 'a server' : index === 0 ? 'the primary' : `mirror ${index}`
}

/** From a hundred on whole ones: nobody means the hundredth of half an hour. */
const WHOLE_FROM_MS = 100_000

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < WHOLE_FROM_MS ? 2 : 0)} s`
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** A log may hold anything: what would steer the terminal is shown as a replacement character. Lines stay. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, '\uFFFD')
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  return count < 1024 ** 2 ? `${Math.round(count / 1024)} KiB` : `${(count / 1024 ** 2).toFixed(1)} MiB`
}
