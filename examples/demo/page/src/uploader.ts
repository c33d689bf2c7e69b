import Uppy from '@uppy/core'
import Dashboard from '@uppy/dashboard'
import AdaptiveTus from 'uppy-adaptive'
import type { LoggedEvent } from 'uppy-adaptive/upload'
import type { ServerConfig } from './config.js'

export interface UploadListener {
  /** A new upload begins: everything before is of another one. */
  onBegin(): void
  onEvent(event: LoggedEvent): void
  onEnd(outcome: { url: string } | { error: string }): void
}

/** Uppy, its Dashboard and the plugin, as any application would set them up. */
export function createUploader(target: string, servers: readonly ServerConfig[], listener: UploadListener): void {
  const [primary, ...mirrors] = servers
  if (!primary) throw new Error('there is no server to upload to')
  const uppy = new Uppy()
  let shown = ''
  uppy.use(Dashboard, {
    target,
    inline: true,
    width: '100%',
    height: 330,
    theme: 'auto',
    proudlyDisplayPoweredByUppy: false,
    note: 'One file at a time is shown in the picture',
    disableThumbnailGenerator: true,
  })
  uppy.use(AdaptiveTus, {
    endpoint: primary.endpoint,
    mirrors: mirrors.map((mirror) => mirror.endpoint),
    onEvent: (fileId: string, event: LoggedEvent) => {
      if (fileId === shown) listener.onEvent(event)
    },
  })
  uppy.on('upload', (_id, files) => {
    shown = files[0]?.id ?? ''
    listener.onBegin()
  })
  uppy.on('upload-success', (file, response) => {
    if (file?.id === shown) listener.onEnd({ url: response.uploadURL ?? '' })
  })
  uppy.on('upload-error', (file, error) => {
    if (file?.id === shown) listener.onEnd({ error: error.message })
  })
}
