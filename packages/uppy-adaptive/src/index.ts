export * from './upload.js'
export type { AdaptiveTusOptions } from './uppy/adaptive-tus.js'
export { default } from './uppy/adaptive-tus.js'
