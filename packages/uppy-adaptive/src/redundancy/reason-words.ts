/** As reasons tell a time. An hour stands for anything longer. */
export function seconds(ms: number): string {
  return `${(Math.min(ms, 3_600_000) / 1000).toFixed(1)} s`
}
