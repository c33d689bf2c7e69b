import type { CDPSession } from 'playwright-core'
import { chromium } from 'playwright-core'
import { CHROMIUM_FLAGS, findChromium } from '../support/chromium.js'
import { chromiumTrust } from '../support/wire-protocol.js'

interface Answer {
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/**
 * A tab of a Chromium of its own that can be put behind another one, and frozen there: Playwright keeps its own pages visible,
 * and Chromium freezes none that is.
 */
export class BackgroundTab {
  readonly #session: CDPSession
  readonly #id: string
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0
  readonly close: () => Promise<void>

  private constructor(o: { session: CDPSession; id: string; close: () => Promise<void> }) {
    this.#session = o.session
    this.#id = o.id
    this.close = o.close
    this.#session.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
      const answer: Answer = JSON.parse(message)
      if (sessionId === this.#id && answer.id !== undefined) this.#waiting.get(answer.id)?.(answer)
    })
  }

  static async open(url: string): Promise<BackgroundTab> {
    const found = await findChromium()
    const browser = await chromium.launch({
      executablePath: found?.executablePath ?? '',
      // with windows and tabs
      args: [...CHROMIUM_FLAGS, '--headless=new', ...(await chromiumTrust())],
      env: { ...process.env, ...found?.env },
    })
    const session = await browser.newBrowserCDPSession()
    const { targetId } = await session.send('Target.createTarget', { url, newWindow: true })
    const { sessionId: id } = await session.send('Target.attachToTarget', { targetId, flatten: false })
    return new BackgroundTab({ session, id, close: () => browser.close() })
  }

  /** What a script in the page comes to. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#send('Runtime.evaluate', { expression, returnByValue: true })
    return Object(Object(answer).result).value
  }

  /** Chooses a file in the page's only input, once the page is loaded. */
  async choose(path: string): Promise<void> {
    const input = "document.readyState === 'complete' && document.querySelector('input')"
    for (;;) {
      const answer = await this.#send('Runtime.evaluate', { expression: input })
      const { objectId } = Object(Object(answer).result)
      if (objectId === undefined) continue
      await this.#send('DOM.setFileInputFiles', { objectId, files: [path] })
      return
    }
  }

  /** Puts another tab before it; false where this Chromium, one without windows, shows all of its pages all the time. */
  async hide(): Promise<boolean> {
    await this.#session.send('Target.createTarget', { url: 'about:blank' })
    const deadlineMs = performance.now() + 10_000
    while (performance.now() < deadlineMs)
      if ((await this.evaluate('document.visibilityState')) === 'hidden') return true
    return false
  }

  async freeze(): Promise<void> {
    await this.#send('Page.setWebLifecycleState', { state: 'frozen' })
  }

  async wake(): Promise<void> {
    await this.#send('Page.setWebLifecycleState', { state: 'active' })
  }

  async #send(method: string, params: object): Promise<unknown> {
    this.#asked += 1
    const id = this.#asked
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve))
    const message = JSON.stringify({ id, method, params })
    await this.#session.send('Target.sendMessageToTarget', { sessionId: this.#id, message })
    const { result, error } = await answered
    this.#waiting.delete(id)
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }
}
