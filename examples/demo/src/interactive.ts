import pc from 'picocolors'
import { seededRandom } from 'reconcile-test-support/links/index'
import type { Cleanup } from './cleanup.js'
import { openDemoWorld } from './headless.js'
import type { DemoOptions } from './options.js'
import { buildPage } from './page-build.js'
import { openPageServer } from './page-server.js'
import { playScenario } from './scenarios/index.js'
import { ScriptLog } from './script-log.js'
import { sleep } from './waiting.js'
import type { World } from './world.js'

interface Places {
  readonly cleanup: Cleanup
  readonly temporary: string
  readonly signal: AbortSignal
}

const A_DAY_MS = 86_400_000

/** Serves the page until the signal fires. */
export async function runInteractive(options: DemoOptions, places: Places): Promise<never> {
  const world = await openDemoWorld(options, { ...places, certificate: undefined })
  const script = new ScriptLog(options.scenario)
  const folder = await buildPage(places.signal)
  const server = await openPageServer({ folder, world, log: script })
  places.cleanup.add('page server', () => server.close())
  console.log(describe(options, world, server.url))
  if (options.scripted) {
    const random = seededRandom(`${options.scenario} ${options.seed}`)
    await playScenario(options.scenario, { world, log: script, random, signal: places.signal })
  }
  for (;;) await sleep(A_DAY_MS, places.signal)
}

function describe(options: DemoOptions, { servers, plan }: World, url: string): string {
  const rows = servers.map(
    ({ path, endpoint }) =>
      `  ${path.name.padEnd(10)} ${endpoint}  ${mbit(path.upBytesPerSecond)}, ${path.delayMs} ms each way`,
  )
  return [
    '',
    `  ${pc.bold('Open')}       ${pc.bold(pc.cyan(url))}`,
    '',
    ...rows,
    `  ${'last mile'.padEnd(10)} ${mbit(plan.lastMileBytesPerSecond)} for all of them together${plan.trace ? `, as ${plan.trace.name} goes` : ''}`,
    '',
    options.scripted
      ? `  The first upload goes through: ${options.scenario}, seed ${options.seed}.`
      : '  Make links bad with the switches on the page.',
    '  Stop with Ctrl-C.',
    '',
  ].join('\n')
}

function mbit(bytesPerSecond: number): string {
  return `${((bytesPerSecond * 8) / 1e6).toFixed(0)} Mbit/s`
}
