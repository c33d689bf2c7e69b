import type { Server, Socket } from 'node:net'

/**
 * What a link needs of the kernel and Node does not offer; libc is called through koffi.
 *
 * Small buffers around a link, so that a sender sees the path and not megabytes of loopback memory. Measured on Linux
 * 6.18, how far a sender runs ahead of the server over a link of 1 Mbit/s, the link's own queue included: 3.8 MB (Node)
 * and 4.0 MB (Chromium 143) without these bounds; with them 0.3 MB (Node) and 0.4 MB (Chromium) where the sender's
 * congestion control is bbr, 0.1 MB (Node) where it is cubic.
 */
export type KernelSockets = {
  /** Why all this is missing here; undefined when it works. */
  readonly missingBecause: string | undefined
  /** For the connections to come: accepted sockets inherit the bounds. The rate is what one sends at most. */
  boundListener(server: Server, bytesPerSecond: number): void
  /** Before `connect`: the bounds are set once the socket has a descriptor and before it says SYN. */
  boundOutgoing(socket: Socket, bytesPerSecond: number): void
  /**
   * Asked at 'end', on a socket whose own side has not ended: libuv reports a reset that comes together with bytes as an
   * end (uv__stream_io at POLLHUP).
   */
  wasReset(socket: Socket): boolean
}

/** Linux's numbers, the same on x64, arm, arm64 and riscv64 (asm-generic/socket.h, netinet/tcp.h). */
const solSocket = 1
const soSendBuffer = 7
const soReceiveBuffer = 8
const ipprotoTcp = 6
const tcpMaxSegment = 2
const tcpInfo = 11
/** The first byte of struct tcp_info is the state; 7 is TCP_CLOSE, where a reset puts a socket. */
const tcpClosed = 7

/**
 * Loopback's segment is 64 kB, and the kernel sizes the sender's buffer by its congestion window in segments; an
 * Ethernet one makes that buffer start at 64 kB instead of 2.5 MB.
 */
const segmentBytes = 1460

/**
 * The kernel doubles it; a window of two segments remains. Measured up to 20 Mbit/s: 4096 holds the sender's buffer at
 * 0.2 to 0.6 MB; 16384 lets it grow to 1.1 MB (bbr sizes its window by the bandwidth that it sees in a burst).
 */
const receiveBufferBytes = 4096

/** Above 20 Mbit/s: two and a half times the bytes per read, half the CPU, for a quarter more in the sender's buffer. */
const fastReceiveBufferBytes = 8192
const fastBytesPerSecond = 2_500_000

/** What the link itself hands over ahead of a receiver. */
const sendBufferBytes = 16_384

type Libc = {
  setOption(descriptor: number, level: number, name: number, value: number): void
  /** TCP's state, as struct tcp_info has it. */
  readState(descriptor: number): number
}

let loading: Promise<KernelSockets> | undefined

/** Loads it once per process. Never fails: where it cannot be had, a warning says so and sockets stay as they are. */
export function loadKernelSockets(): Promise<KernelSockets> {
  loading ??= loadLibc().then(createKernelSockets, (error: unknown) => {
    const missingBecause = error instanceof Error ? error.message : String(error)
    process.emitWarning(`Links run with the system's socket buffers, senders run megabytes ahead: ${missingBecause}`)
    return { missingBecause, boundListener() {}, boundOutgoing() {}, wasReset: () => false }
  })
  return loading
}

async function loadLibc(): Promise<Libc> {
  if (process.platform !== 'linux') throw new Error(`socket options are known for linux only, not ${process.platform}`)
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  const set = libc.func('int setsockopt(int descriptor, int level, int name, const int *value, uint32_t length)')
  const get = libc.func('int getsockopt(int, int, int, _Out_ uint8_t *value, _Inout_ uint32_t *length)')
  return {
    setOption: (descriptor, level, name, value) => void set(descriptor, level, name, [value], 4),
    readState(descriptor) {
      const info = Buffer.alloc(1)
      get(descriptor, ipprotoTcp, tcpInfo, info, [info.length])
      return info.readUInt8()
    },
  }
}

function createKernelSockets({ setOption, readState }: Libc): KernelSockets {
  const bound = (holder: Server | Socket, bytesPerSecond: number): void => {
    const descriptor = descriptorOf(holder)
    if (descriptor === undefined) return
    setOption(descriptor, ipprotoTcp, tcpMaxSegment, segmentBytes)
    const isFast = bytesPerSecond > fastBytesPerSecond
    setOption(descriptor, solSocket, soReceiveBuffer, isFast ? fastReceiveBufferBytes : receiveBufferBytes)
    setOption(descriptor, solSocket, soSendBuffer, sendBufferBytes)
  }
  return {
    missingBecause: undefined,
    boundListener: bound,
    boundOutgoing: (socket, bytesPerSecond) =>
      void socket.once('connectionAttempt', () => bound(socket, bytesPerSecond)),
    wasReset(socket) {
      const descriptor = descriptorOf(socket)
      return descriptor !== undefined && readState(descriptor) === tcpClosed
    },
  }
}

/** The file descriptor behind a listener or socket: Node has no public way to it, libuv's handle has it on POSIX. */
function descriptorOf(holder: Server | Socket): number | undefined {
  const handle: unknown = Reflect.get(holder, '_handle')
  if (typeof handle !== 'object' || handle === null) return undefined
  const descriptor: unknown = Reflect.get(handle, 'fd')
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined
}
