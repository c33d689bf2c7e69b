import type { ReliabilityBin } from '../evaluation/calibration-error.js'

const TEXT_WIDTH = 40
const SIDE = 400
const MARGIN = 50

/** One row a bin: `o` what was seen, `|` what was said, `*` where they meet. */
export function reliabilityText(bins: readonly ReliabilityBin[]): string {
  const rows = bins.map(({ predicted, observed, count }) => {
    const cells = Array.from({ length: TEXT_WIDTH + 1 }, () => ' ')
    const said = Math.round(predicted * TEXT_WIDTH)
    const seen = Math.round(observed * TEXT_WIDTH)
    cells[said] = '|'
    cells[seen] = said === seen ? '*' : 'o'
    return `  ${percent(predicted)}  ${percent(observed)}  ${String(count).padStart(6)}  [${cells.join('')}]`
  })
  const scale = `0 %${' '.repeat(TEXT_WIDTH - 8)}100 %`
  return ['    said    seen   count', ...rows, `${' '.repeat(26)} ${scale}`, '  | said, o seen, * both'].join('\n')
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`.padStart(7)
}

/** The same as a picture of its own: said from left to right, seen upwards, the diagonal is perfect. */
export function reliabilitySvg(bins: readonly ReliabilityBin[]): string {
  const x = (share: number): string => (MARGIN + share * SIDE).toFixed(1)
  const y = (share: number): string => (MARGIN + (1 - share) * SIDE).toFixed(1)
  const most = Math.max(1, ...bins.map(({ count }) => count))
  const dots = bins.map(({ predicted, observed, count }) => {
    const radius = (3 + 5 * Math.sqrt(count / most)).toFixed(1)
    const title = `said ${percent(predicted).trim()}, seen ${percent(observed).trim()}, ${count} times`
    return `<circle cx="${x(predicted)}" cy="${y(observed)}" r="${radius}"><title>${title}</title></circle>`
  })
  const line = bins.map(({ predicted, observed }) => `${x(predicted)},${y(observed)}`).join(' ')
  const labels = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    `<text x="${x(share)}" y="${MARGIN + SIDE + 18}" text-anchor="middle">${share}</text>`,
    `<text x="${MARGIN - 8}" y="${y(share)}" text-anchor="end" dominant-baseline="middle">${share}</text>`,
  ])
  const size = SIDE + 2 * MARGIN
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" role="img" font-family="sans-serif" font-size="12">`,
    '<title>Reliability: the risk that was said, and the share that came to trouble</title>',
    `<rect width="${size}" height="${size}" fill="#fff"/>`,
    `<rect x="${MARGIN}" y="${MARGIN}" width="${SIDE}" height="${SIDE}" fill="none" stroke="#999"/>`,
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" stroke="#999" stroke-dasharray="4 4"/>`,
    `<polyline points="${line}" fill="none" stroke="#06c"/>`,
    `<g fill="#06c">${dots.join('')}</g>`,
    `<g fill="#333">${labels.join('')}`,
    `<text x="${size / 2}" y="${size - 8}" text-anchor="middle">risk said</text>`,
    `<text x="14" y="${size / 2}" text-anchor="middle" transform="rotate(-90 14 ${size / 2})">share seen</text></g>`,
    '</svg>',
  ].join('\n')}\n`
}
