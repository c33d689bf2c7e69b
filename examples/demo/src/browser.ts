import type { Browser, Page } from 'playwright-core'
import { type Certificate, chromiumTrustFlag } from 'reconcile-test-support/certificate'
import { CHROMIUM_FLAGS, findChromium, NO_CHROMIUM } from 'reconcile-test-support/chromium'
import type { LoggedEvent } from 'uppy-adaptive/upload'
import type { Cleanup } from './cleanup.js'
import { sleep } from './waiting.js'

/** What the page keeps of an upload in `window.__demo`. */
export interface PageState {
  readonly events: LoggedEvent[]
  readonly done: boolean
  readonly result?: { readonly url: string }
  readonly error?: string
}

declare global {
  interface Window {
    __demo: PageState
  }
}

/** There is no browser here; not the demo's fault. */
export class NoBrowserError extends Error {}

const VIEWPORT = { width: 1400, height: 900 }
const LOOK_MS = 250
const START_MS = 60_000

/**
 * Starts headless Chromium with an empty page; it trusts one certificate more, if it is told to. What it began,
 * `cleanup` ends. @throws NoBrowserError
 */
export async function openBrowser(
  { cleanup, signal }: { readonly cleanup: Cleanup; readonly signal: AbortSignal },
  trusted?: Certificate,
): Promise<{ page: Page; problems: string[] }> {
  const found = await findChromium({ signal, onSlow: (message) => process.stderr.write(`${message}\n`) })
  if (!found) throw new NoBrowserError(NO_CHROMIUM)
  // loaded only when it is needed: it takes a second
  const { chromium } = await import('playwright-core')
  signal.throwIfAborted()
  const launching = chromium.launch({
    executablePath: found.executablePath,
    args: [...CHROMIUM_FLAGS, ...(trusted === undefined ? [] : [chromiumTrustFlag(trusted)])],
    env: definedOnly({ ...process.env, ...found.env }),
    headless: true,
    timeout: START_MS,
    // we end it ourselves, whatever it is doing
    ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false },
  })
  cleanup.add('Chromium', async () => {
    const browser: Browser | undefined = await launching.catch(() => undefined)
    await browser?.close()
  })
  const browser = await launching
  signal.throwIfAborted()
  const page = await browser.newPage({ viewport: VIEWPORT, locale: 'en-US' })
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`page: ${error.message}`))
  page.on('crash', () => problems.push('page: it crashed'))
  return { page, problems }
}

/** Chooses the file on the Dashboard and presses its button, as a person would. */
export async function startUpload(page: Page, url: string, file: string): Promise<void> {
  await page.goto(url)
  await page.locator('input.uppy-Dashboard-input').first().setInputFiles(file)
  await page.locator('.uppy-StatusBar-actionBtn--upload').click()
}

/** Follows the upload until it ends; `onLook` is called about four times a second with all events so far. */
export async function followUpload(
  page: Page,
  o: { readonly signal: AbortSignal; readonly onLook: (state: PageState) => Promise<void> },
): Promise<PageState> {
  const events: LoggedEvent[] = []
  for (;;) {
    o.signal.throwIfAborted()
    const news = await page.evaluate((from) => {
      const { events: all, ...rest } = window.__demo
      return { ...rest, events: all.slice(from) }
    }, events.length)
    events.push(...news.events)
    const state = { ...news, events }
    await o.onLook(state)
    if (news.done) return state
    await sleep(LOOK_MS, o.signal)
  }
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
