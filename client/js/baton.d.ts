/** What `Baton` needs of a WebSocket: the browser's own, Node 22's, `ws`, or the one of `./node.js`. */
export interface SocketLike {
  onmessage: ((event: any) => void) | null
  onclose: ((event: any) => void) | null
  send(data: string): void
  close(code?: number): void
}

export interface BatonOptions {
  /**
   * The session to resume. Left out: the one this tab had before it was reloaded, or else a new one.
   * `null`: a new one in any case. A string: that one, and whoever is connected to it is closed with 4001.
   */
  sessionId?: string | null
  /** Where session and attempt are remembered. Default: `sessionStorage`, where there is one. `null`: nowhere. */
  storage?: Pick<Storage, 'getItem' | 'setItem'> | null
  /** Their key. Default: `baton:<url>`. Two sessions on one page need two keys. */
  key?: string
  WebSocket?: new (url: string, protocol: string) => SocketLike
  /** The backoff is a random time between 0 and `minDelay * 2 ** failures`. Milliseconds; default 200. */
  minDelay?: number
  /** … and never more than this. Milliseconds; default 10000. */
  maxDelay?: number
  /** How long a handshake or a message may go unanswered before another connection is tried. Milliseconds; default 15000. */
  timeout?: number
  /** The same with nothing to wait for: set it well above the server's HEARTBEAT_INTERVAL. Milliseconds; default 75000. */
  silence?: number
}

/** A connection can take messages. */
export interface OpenEvent extends Event {
  /** What the server had counted when it began. */
  count: number
  /** Whether the server knew the session. */
  resumed: boolean
  color: string
  instance: string
  /** Milliseconds without a connection that could take a message; 0 after a handover. */
  gap: number
}

/** A message is counted. Exactly one such event for each message, in the order they were sent. */
export interface AckEvent extends Event {
  data: string
  /** Its number in the session. */
  count: number
  /** Milliseconds since `send`. */
  ms: number
}

/** A frame that is no acknowledgement: heartbeats, and whatever the server sends of its own. */
export interface DataEvent extends Event {
  data: string
}

/** A connection, or the attempt at one, has ended; the next attempt is `delay` milliseconds away. */
export interface RetryEvent extends Event {
  code: number
  reason: string
  /** The status of a refused handshake, where it is known: not in browsers. */
  status?: number
  delay: number
}

/** The server has lost counts that it had acknowledged; what is sent from here on is numbered from `count`. */
export interface ResetEvent extends Event {
  expected: number
  count: number
}

/** The end: `close()`, 4001 (the session was resumed elsewhere), or an error that another connection would meet again. */
export interface EndEvent extends Event {
  code: number
  reason: string
  status?: number
  /** The messages that were not acknowledged. */
  pending: string[]
}

export interface BatonEventMap {
  open: OpenEvent
  resume: OpenEvent
  ack: AckEvent
  message: DataEvent
  retry: RetryEvent
  reset: ResetEvent
  close: EndEvent
}

export class Baton extends EventTarget {
  constructor(url: string | URL, options?: BatonOptions)

  /** Known from the first `open` on. */
  readonly sessionId: string | null | undefined
  /** The session's count, as far as it is acknowledged. */
  readonly count: number
  /** How many messages are not acknowledged yet. */
  readonly pending: number
  /** As a WebSocket's: 0 no connection takes messages now, 1 one does, 3 over for good. */
  readonly readyState: 0 | 1 | 3

  /** Queues a message; it leaves at once if a connection is open, and again after a reconnect until it is counted. */
  send(data: string): void
  /** Ends it for good. What was sent is still counted; what waits for a connection is given back in the `close` event. */
  close(): void

  onopen: ((event: OpenEvent) => void) | null
  onresume: ((event: OpenEvent) => void) | null
  onack: ((event: AckEvent) => void) | null
  onmessage: ((event: DataEvent) => void) | null
  onretry: ((event: RetryEvent) => void) | null
  onreset: ((event: ResetEvent) => void) | null
  onclose: ((event: EndEvent) => void) | null

  addEventListener<K extends keyof BatonEventMap>(
    type: K,
    listener: (this: Baton, event: BatonEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void
}
