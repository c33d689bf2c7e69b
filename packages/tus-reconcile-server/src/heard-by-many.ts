import { setMaxListeners } from 'node:events'

/** Each event stream or plain body listens to it, and there may be thousands. */
export function heardByMany(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
