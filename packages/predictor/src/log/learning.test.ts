import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { steps, upload } from '../testing/written-run.js'
import { runsOf } from './collect-runs.js'
import { evaluate, predictionsOf } from './evaluate.js'
import { explainRun } from './explain.js'
import { fit } from './fit.js'
import { countLink, linkRates } from './fit-link.js'
import { failuresOf, hazardOf } from './fit-sessions.js'
import { fitLogNormal } from './log-normal-fit.js'
import { parseModel, priorsOf } from './model-file.js'
import { fitRecalibration, recalibrate } from './platt.js'
import { readLog } from './read-log.js'
import { reliabilitySvg, reliabilityText } from './reliability-picture.js'
import type { SessionRun, UploadRun } from './upload-run.js'

const text = readFileSync(new URL('testing/degrade.ndjson', import.meta.url), 'utf8')
const degrade = readLog({ name: 'degrade.ndjson', text, sha256: 'ab' })
const wholeText = readFileSync(new URL('testing/whole.ndjson', import.meta.url), 'utf8')
const whole = readLog({ name: 'whole.ndjson', text: wholeText, sha256: 'cd' })

const soFar = steps(0, 1_000, 100)
const END = 1e7

test('a log-normal is found again, and values that are only bounded do not shorten it', () => {
  const z = steps(0, 100, 1).map((step) => Math.tan(((step - 50.5) / 101) * Math.PI * 0.9) / 2)
  const values = z.map((each) => Math.exp(1 + 0.5 * each))
  const all = fitLogNormal(values.map((value) => ({ value, isCensored: false })))
  const bound = 4
  const cut = fitLogNormal(values.map((value) => ({ value: Math.min(value, bound), isCensored: value > bound })))
  const naive = fitLogNormal(values.map((value) => ({ value: Math.min(value, bound), isCensored: false })))
  expect(all?.meanLog).toBeCloseTo(1, 1)
  expect(Math.abs((cut?.meanLog ?? 0) - 1)).toBeLessThan(Math.abs((naive?.meanLog ?? 0) - 1))
  expect(fitLogNormal([{ value: 2, isCensored: true }])).toBeUndefined()
})

test('recalibration finds the map that distorted the risks, and keeps their order', () => {
  const shares = [0.02, 0.1, 0.3, 0.6, 0.9]
  const predictions = shares.flatMap((share) => {
    const said = recalibrate(share, { slope: 2, intercept: 1 })
    return Array.from({ length: 1000 }, (_, index) => ({ p: said, failed: index < share * 1000 }))
  })
  const map = fitRecalibration(predictions)
  expect(map.slope).toBeCloseTo(0.5, 1)
  for (const share of shares) {
    expect(recalibrate(recalibrate(share, { slope: 2, intercept: 1 }), map)).toBeCloseTo(share, 1)
  }
})

test('whatever was predicted and came, the recalibrated risk is a probability and rises with the risk', () => {
  const prediction = fc.record({ p: fc.double({ min: 0, max: 1, noNaN: true }), failed: fc.boolean() })
  fc.assert(
    fc.property(fc.array(prediction), (predictions) => {
      const map = fitRecalibration(predictions)
      const mapped = [0, 0.01, 0.5, 0.99, 1].map((p) => recalibrate(p, map))
      expect(mapped.every((p) => p >= 0 && p <= 1)).toBe(true)
      expect(mapped).toEqual(mapped.toSorted((a, b) => a - b))
    }),
  )
})

test('seconds in which everybody stands still are a bad link, one that stands still is not', () => {
  const moving = steps(0, 30_000, 100)
  const outage = moving.filter((ms) => ms <= 10_000 || ms > 13_000)
  const together = countLink(upload({ ackedAtMs: outage }, { ackedAtMs: outage }, { ackedAtMs: outage }))
  expect(together).toEqual({ goodSeconds: 26, badSeconds: 3, goodToBad: 1, badToGood: 1 })
  const alone = countLink(upload({ ackedAtMs: outage }, { ackedAtMs: moving }, { ackedAtMs: moving }))
  expect(alone).toMatchObject({ badSeconds: 0, goodToBad: 0 })
  expect(countLink(upload({ ackedAtMs: outage }))).toMatchObject({ goodSeconds: 0, badSeconds: 0 })
})

test('rates of the link are the prior without data, and what was seen with much of it', () => {
  expect(linkRates({ goodSeconds: 0, badSeconds: 0, goodToBad: 0, badToGood: 0 })).toMatchObject({
    goodBadPerSecond: 1 / 50,
    badGoodPerSecond: 1 / 4,
  })
  const much = linkRates({ goodSeconds: 1e6, badSeconds: 1e5, goodToBad: 5e3, badToGood: 5e3 })
  expect(much.goodBadPerSecond).toBeCloseTo(0.005, 4)
  expect(much.badGoodPerSecond).toBeCloseTo(0.05, 4)
})

test('a failure counts by how likely the link was good, a take-over or a race lost standing still half', () => {
  const run = upload(
    { ackedAtMs: soFar, ending: 'failed', endedMs: 2_000, end: END },
    { ackedAtMs: soFar, ending: 'takenOver', endedMs: 2_000, end: END },
    { ackedAtMs: soFar, ending: 'superseded', endedMs: 2_000, end: END },
  )
  expect(failuresOf(run)).toEqual({ failures: 1.5, seconds: 6 })
  run.link.push({ elapsedMs: 0, pGood: 0.2 })
  expect(failuresOf(run).failures).toBeCloseTo(0.3)
  const of = { session: '9', partition: 'p2', store: 'store 9', server: 9, of: '2', from: 2, at: 0, elapsedMs: 1_500 }
  run.decisions.push({ type: 'copy', ...of, reason: 'silent', risk: 0.9, gapMs: 500, because: [] })
  expect(failuresOf(run).failures).toBeCloseTo(0.4)
  const hazard = hazardOf({ failures: 60, seconds: 1e6 })
  expect(hazard.failures / hazard.seconds).toBeCloseTo(6e-5, 5)
})

test('a real log gives a model with its provenance, and where it is too little the prior stays', () => {
  const model = fit([degrade], 1_234)
  expect(model.provenance).toMatchObject({
    logs: [{ name: 'degrade.ndjson', sha256: 'ab', lines: 314 }],
    uploads: 1,
    sessions: 19,
    stores: 3,
    fittedMs: 1_234,
  })
  expect(model.gaps).toMatchObject({ from: 'log' })
  expect(Math.exp(model.gaps.meanLog)).toBeGreaterThan(80)
  expect(Math.exp(model.gaps.meanLog)).toBeLessThan(150)
  expect(model.link).toMatchObject({ from: 'prior', goodBadPerSecond: 1 / 50, needed: 120 })
  expect(model.calibration).toMatchObject({ from: 'prior', slope: 1, intercept: 0 })
  expect(Object.keys(priorsOf(model))).toEqual(['gaps', 'startGaps'])
  expect(parseModel(JSON.stringify(model))).toEqual(model)
})

test.each([
  ['nonsense', 'the file is no JSON'],
  ['[]', 'the file is no object'],
  ['{"format":"x"}', 'format is "x"'],
  ['{"format":"upload-predictor-model","version":2}', 'version is 2, this predictor reads 1'],
  ['{"format":"upload-predictor-model","version":1}', 'link is no object'],
  [
    JSON.stringify({ ...fit([degrade], 1), gaps: { from: 'log', seen: 1, needed: 1, meanLog: 5, sigma: -1 } }),
    'gaps.sigma must be',
  ],
  [JSON.stringify({ ...fit([degrade], 1), provenance: {} }), 'provenance.uploads must be'],
])('a model file that holds %.60s is refused with what is wrong', (file, why) => {
  expect(() => parseModel(file)).toThrow(expect.objectContaining({ code: 'invalidModel' }))
  expect(() => parseModel(file)).toThrow(why)
})

test('the metrics of a real log are told per moment, and a moment without trouble has no AUC', () => {
  const runs = runsOf([whole])
  const { metrics, reliability } = evaluate(runs)
  expect(metrics.map(({ moment }) => moment)).toEqual(['launch', 'at 25 %', 'at 50 %', 'at 100 %', 'all'])
  const all = metrics.at(-1)
  expect(all?.count).toBe(reliability.reduce((sum, { count }) => sum + count, 0))
  expect(all?.troubled).toBeGreaterThan(0)
  expect(all?.auc).toBeGreaterThan(0.5)
  expect(metrics[0]?.count).toBeLessThanOrEqual(12)
  const healthy = evaluate([]).metrics[0]
  expect(healthy).toMatchObject({ count: 0, auc: undefined, brier: undefined })
})

test("a model's calibration changes what was said, not the order of it", () => {
  const runs = runsOf([whole])
  const model = {
    ...fit([degrade], 1),
    calibration: { from: 'log' as const, seen: 99, needed: 20, slope: 0.5, intercept: -1 },
  }
  const [as, corrected] = [evaluate(runs).metrics.at(-1), evaluate(runs, model).metrics.at(-1)]
  expect(corrected?.auc).toBeCloseTo(as?.auc ?? 0, 10)
  expect(corrected?.brier).not.toBeCloseTo(as?.brier ?? 0, 5)
})

test('a reliability diagram shows every bin, as text and as a picture', () => {
  const bins = evaluate(runsOf([whole])).reliability
  expect(reliabilityText(bins).split('\n')).toHaveLength(bins.length + 3)
  expect(reliabilitySvg(bins).match(/<circle/g)).toHaveLength(bins.length)
  expect(reliabilitySvg(bins)).toMatch(/^<svg xmlns="[^"]+" viewBox[\s\S]*<\/svg>\n$/)
})

test('every copy and split of a real log is explained: what was known, and what came of it', () => {
  const [run] = runsOf([degrade])
  const { summary, decisions, script } = explainRun(run as UploadRun)
  expect(summary).toBe('of 7.6 MiB, 19 sessions at 3 servers, committed after 5.70 s: 2 copies, 1 split, no take-overs')
  expect(decisions.map(({ kind }) => kind)).toEqual(['split', 'copy', 'copy'])
  expect(decisions[0]?.done).toContain('split p4 at the primary, gave away its last 256 KiB: slow: 5.2 s to go here')
  expect(decisions[0]?.outcome).toMatch(/^mirror 1 began on it 0.01 s later and completed/)
  expect(decisions[1]?.known).toContain('risk 81 %, silent for 1.60 s')
  expect(decisions[1]?.known).toContain('because: silent 1.6 s, 1.3 s of it while others moved (weight 0.64)')
  expect(decisions[1]?.outcome).toBe('the copy won after 0.36 s; the first had nothing more acknowledged meanwhile')
  expect(script.map(({ text: told }) => told)[2]).toContain('stalled silently')
})

test('a take-over is explained by who took it, and a copy that lost by who won', () => {
  const run = upload(
    { ackedAtMs: soFar, ending: 'takenOver', endedMs: 2_000, end: END },
    { ackedAtMs: soFar, startedMs: 2_100 },
  )
  const heir = run.sessions.get('1')
  run.sessions.set('1', { ...(heir as SessionRun), start: 1e6, plannedEnd: END, endedMs: 5_000 })
  const of = { session: '0', partition: 'p0', store: 'store 0', server: 0, at: 0 }
  run.decisions.push({ type: 'takeOver', ...of, reason: 'silent', risk: 0.9, gapMs: 1_000, elapsedMs: 2_000 })
  const lost = { session: '0', partition: 'p1', store: 'store 0', server: 0, of: '1', from: 1, at: 0, elapsedMs: 4_000 }
  run.decisions.push({ type: 'copy', ...lost, reason: 'slow', risk: 0.6, gapMs: 0, because: [] })
  const [taken, copied] = explainRun(run).decisions
  expect(taken?.done).toBe('took p0 from the primary: silent')
  expect(taken?.outcome).toBe('mirror 1 began on it 0.10 s later and completed 3.00 s after the decision')
  expect(taken?.known).toContain('the log has no assessment of this session just before')
  expect(copied?.outcome).toBe('the first won after 1.00 s: the copy was not needed')
})

test('a log that is older than plans in logs tells how many of its assessments have none', () => {
  const { metrics } = evaluate(runsOf([degrade]))
  expect(metrics.at(-1)).toMatchObject({ count: 0, untold: 0, auc: undefined })
  expect(metrics.at(-1)?.unplanned).toBeGreaterThan(50)
})

test('a session is predicted at most once at each moment', () => {
  const runs = runsOf([whole])
  const { predictions } = predictionsOf(runs, 'at 50 %')
  expect(new Set(predictions.map(({ group }) => group)).size).toBe(predictions.length)
})

test('a session in trouble that is left as it was is told with its reason, before a decision and where none followed', () => {
  const lines = wholeText.trimEnd().split('\n')
  const copy = JSON.parse(lines.find((line) => line.startsWith('{"type":"copy"')) ?? '')
  const { of, known, upload: id, at } = copy
  const where = { partition: 'p', store: copy.store, server: 1, upload: id, at, risk: 0.4, gapMs: 900, known }
  const withheld = { ...where, type: 'withheld', code: 'budget', reason: 'the byte budget is spent' }
  const withheldMs = (before: number, session: string) => {
    const elapsedMs = copy.elapsedMs - before
    const last = lines.map((line) => JSON.parse(line)).findLast((line) => line.elapsedMs <= elapsedMs)
    return { ...withheld, session, n: last.n + 0.5, elapsedMs }
  }
  const added = [withheldMs(1_000, of), withheldMs(500, 'another')]
  const told = [...lines, ...added.map((line) => JSON.stringify(line))].join('\n')
  const [run] = runsOf([readLog({ name: 'l', text: `${told}\n`, sha256: '' })])
  const explanation = run && explainRun(run)
  expect(explanation?.decisions[0]?.known).toContainEqual(
    '1.00 s before, at risk 40 %, left as it was: the byte budget is spent',
  )
  expect(explanation?.left.map(({ text }) => text)).toEqual([
    'left p at mirror 1 as it was (risk 40 %, silent for 0.90 s): the byte budget is spent',
  ])
})

test('a session that failed is told with what it left missing, why, and who took the rest', () => {
  const run = upload(
    { ackedAtMs: soFar, ending: 'failed', endedMs: 2_000, end: END },
    { ackedAtMs: soFar, startedMs: 2_100 },
  )
  const heir = run.sessions.get('1')
  run.sessions.set('1', { ...(heir as SessionRun), start: 1e6, plannedEnd: END, endedMs: 200_000 })
  const { failed, summary } = explainRun({ ...run, lastMs: 200_000 })
  expect(failed).toEqual([
    {
      elapsedMs: 2_000,
      text: 'p0 failed at the primary, 8.6 MiB missing: no cause; mirror 1 began on the rest 0.10 s later',
    },
  ])
  expect(summary).toContain('2 sessions (1 failed) at 2 servers, its log stops after 200 s')
})
