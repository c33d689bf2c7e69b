export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** Bytes per second in words, two digits. */
export function rate(bytesPerSecond: number): string {
  const [amount, unit] = bytesPerSecond >= 1e6 ? [bytesPerSecond / 1e6, 'MB/s'] : [bytesPerSecond / 1e3, 'kB/s']
  return `${amount >= 10 ? Math.round(amount) : Number(amount.toPrecision(2))} ${unit}`
}

/** How many times: two digits. */
export function times(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio) : Number(ratio.toPrecision(2))} times`
}
