/** What all paths of one user share: the way to the network. */
export class LastMile {
  upBytesPerSecond: number
  /** Nothing comes through, and nobody is told. */
  isOut = false
  /** Bodies that are being sent. */
  sending = 0

  constructor(upBytesPerSecond: number = Number.POSITIVE_INFINITY) {
    this.upBytesPerSecond = upBytesPerSecond
  }

  /** Of one body. */
  get shareBytesPerSecond(): number {
    return this.upBytesPerSecond / Math.max(1, this.sending)
  }
}
