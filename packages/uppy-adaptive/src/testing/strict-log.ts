import { EventLog, type LoggedEvent } from '../orchestration/log/event-log.js'
import { SimulatedClock } from './simulated-clock.js'

/** A log, and every event as a listener gets it. A listener that throws fails the test. */
export function strictLog(clock: SimulatedClock = new SimulatedClock()): { log: EventLog; events: LoggedEvent[] } {
  const onListenerError = (error: unknown) => {
    throw error
  }
  const events: LoggedEvent[] = []
  const log = new EventLog({ clock, upload: 'upload', onListenerError })
  log.subscribe((event) => events.push(event))
  return { log, events }
}
