export * from './upload.js'
export type { AdaptiveTusOptions, HeadersOfFile } from './uppy/adaptive-tus.js'
export { default } from './uppy/adaptive-tus.js'
