import { colourOf } from '../colours.js'

type Target = number | 'lastMile'
interface Switch {
  readonly label: string
  readonly action: string
  readonly title: string
}

const SERVER_SWITCHES: readonly Switch[] = [
  { label: '1/20', action: 'slow', title: 'its path falls to a twentieth' },
  { label: 'stall', action: 'stall', title: 'nothing moves any more, and nobody is told' },
  { label: 'reset', action: 'reset', title: 'its connections are reset; new ones work' },
  { label: 'cut', action: 'cut', title: 'its path is dead' },
  { label: 'kill', action: 'kill', title: 'its process is killed with -9' },
  { label: 'normal', action: 'resume', title: 'everything as it was; a killed process is started again' },
]
const LAST_MILE_SWITCHES: readonly Switch[] = [
  { label: '1/20', action: 'slow', title: 'your own line falls to a twentieth' },
  { label: 'cut', action: 'cut', title: 'your own line is out' },
  { label: 'normal', action: 'resume', title: 'everything as it was' },
]

/** A row of switches for each server and for the user's own line. */
export function createSwitches(place: HTMLElement, message: HTMLElement, names: readonly string[]): void {
  for (const [server, name] of names.entries()) place.append(createRow(name, server, SERVER_SWITCHES, message))
  place.append(createRow('your own line', 'lastMile', LAST_MILE_SWITCHES, message))
}

function createRow(name: string, target: Target, switches: readonly Switch[], message: HTMLElement): HTMLElement {
  const row = document.createElement('div')
  row.className = 'switch-row'
  const label = document.createElement('span')
  label.textContent = name
  if (typeof target === 'number') label.style.color = colourOf(target)
  const buttons = switches.map((one) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = one.label
    button.title = one.title
    button.addEventListener('click', () => {
      mark(buttons, one.action === 'reset' || one.action === 'resume' ? undefined : button)
      void press(target, one.action, message)
    })
    return button
  })
  row.append(label, ...buttons)
  return row
}

function mark(buttons: readonly HTMLElement[], pressed: HTMLElement | undefined): void {
  for (const button of buttons) button.classList.toggle('on', button === pressed)
}

async function press(server: Target, action: string, message: HTMLElement): Promise<void> {
  try {
    await send(server, action)
    if (action === 'resume' && server !== 'lastMile') await send(server, 'restart')
    message.textContent = ''
  } catch (error) {
    message.textContent = error instanceof Error ? error.message : String(error)
  }
}

async function send(server: Target, action: string): Promise<void> {
  const answer = await fetch('/control', { method: 'POST', body: JSON.stringify({ server, action }) })
  if (!answer.ok) throw new Error(`the switch did nothing: ${await answer.text()}`)
}
