// A WebSocket that keeps its session: what is sent is counted once, in order, whatever happens to the connection.
//
// The count is the acknowledgement. Messages are numbered by their place in the session; a reply with count c
// acknowledges message c. A new connection begins with a `session` message that says how many are counted: those
// are dropped from the queue and the rest is sent again. Two connections may be open for a moment (handover): `live`
// takes the messages until `next` has brought its session message.

const RESUMED_ELSEWHERE = 4001
const NORMAL = 1000
const LOST = 1006 // RFC 6455: no close frame was seen
const NEVER_AGAIN = [1002, 1003, 1007, 1009, 400, 401, 403, 426] // codes and statuses: the next connection would end the same way
const STALE = 409
const BUSY = [1008, 1013]
const BUSY_WAIT_S = 1 // at least, where the server is busy and names no Retry-After

const WAKE = ['online', 'visibilitychange', 'pageshow']
const CHECK_EVERY_MS = 1000
const LOCK_WAIT_MS = 500 // a page that reloads finds its own lock still held for a moment
const HANDOVER_SHARE = 0.8 // of the time that `reconnect` grants; the rest is for the handshake

const { navigator = {}, location, addEventListener, removeEventListener } = globalThis
const clock = () => performance.now() // nobody sets it, but it may stand still while the machine sleeps
const now = () => Date.now() // the other way round

export class Baton extends EventTarget {
  #url
  #options
  #live // a WebSocket, with its attempt and the timer of its handshake
  #next
  #queue = [] // { data, at, sent }: what is not acknowledged, oldest first
  #count = 0
  #attempt = 0
  #failures = 0
  #stale = 0 // refusals with 409 in a row: each doubles how far the next attempt runs ahead of the clock
  #fencedBy // the attempt whose claim ended the last connection: until then that one could take messages
  #over
  #lost // clock() when messages could last be taken; 0 while they can
  #usable // clock() of the last frame
  #heard // now() of the last frame, or of the first message that waits for its acknowledgement
  #timer
  #watch
  #held // the session whose lock this tab holds, or waits for

  constructor(url, options = {}) {
    super()
    url = this.#url = new URL(url, location?.href)
    url.protocol = url.protocol.replace('http', 'ws')
    this.#options = {
      WebSocket: globalThis.WebSocket,
      key: 'baton:' + url,
      minDelay: 200,
      maxDelay: 10_000,
      timeout: 15_000,
      silence: 75_000,
      ...options,
    }
    for (const type of WAKE) addEventListener?.(type, this.#wake)
    this.#watch = setInterval(() => this.#check(), CHECK_EVERY_MS)
    this.#begin(options.sessionId)
  }

  get count() {
    return this.#count
  }

  get pending() {
    return this.#queue.length
  }

  get readyState() {
    return this.#over ? 3 : this.#live ? 1 : 0
  }

  send(data) {
    if (this.#over) throw new Error('closed')
    if (typeof data != 'string') throw new TypeError('not text')
    if (!this.#queue.length) this.#heard = now()
    const message = { data, at: clock() }
    this.#queue.push(message)
    if (this.#live) this.#write(message)
  }

  close() {
    if (!this.#over) this.#stop({ code: NORMAL, reason: '' })
  }

  // undefined: the session of this tab, if it has one; null: a new one; a string: that one, wherever it is live now.
  #begin(wanted) {
    const connect = () => this.#connect()
    const { id, attempt } = parse(this.#stored())
    this.sessionId = wanted === undefined ? id : wanted
    if (id && id == this.sessionId) this.#attempt = attempt
    if (wanted !== undefined || !id || !navigator.locks) return connect()
    // A duplicated tab starts with a copy of the storage: it must not take the session from the tab it was copied from.
    this.#hold(id, { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, connect).catch(() => {
      this.sessionId = null
      connect()
    })
  }

  #hold(id, options, then) {
    this.#held = id
    return navigator.locks.request('baton:' + id, options, () => {
      if (this.#over) return
      then?.()
      return new Promise((done) => this.addEventListener('close', done))
    })
  }

  #connect() {
    this.#timer = clearTimeout(this.#timer) // undefined
    if (this.#over || this.#next) return
    this.#attempt = Math.max(this.#attempt + 1, now()) + (this.#stale && 500 * 2 ** this.#stale)
    this.#remember()
    const url = new URL(this.#url)
    const { searchParams } = url
    if (this.sessionId) searchParams.set('session_id', this.sessionId)
    searchParams.set('attempt', this.#attempt)
    const link = new this.#options.WebSocket(url.href, 'baton.v1')
    this.#next = link
    link.attempt = this.#attempt
    link.onmessage = (event) => this.#receive(link, event.data)
    link.onclose = (event) => this.#ended(link, event)
    link.timer = setTimeout(() => this.#ended(link, { code: LOST, reason: 'timeout' }), this.#options.timeout)
  }

  #receive(link, data) {
    const { type, count, within_ms, ...rest } = parse(data)
    if (link == this.#next) {
      if (type == 'session') this.#take(link, count, rest)
      return
    }
    this.#hear()
    this.#failures = 0
    if (type == 'reconnect') this.#next || this.#connectIn(Math.random() * HANDOVER_SHARE * within_ms)
    else if (count >= 0 && !type) this.#acknowledge(count)
    else this.#emit('message', { data })
  }

  // `next` becomes `live`. Everything is written before an event is fired: a listener may send.
  #take(link, count, { session_id, ...rest }) {
    clearTimeout(link.timer)
    release(this.#live)
    this.#live = link
    this.#next = null
    this.#stale = 0
    const gap = this.#lost && this.#fencedBy != link.attempt ? clock() - this.#lost : 0
    const type = this.#usable ? 'resume' : 'open'
    this.#hear()
    this.#named(session_id)

    const expected = this.#count
    const counted = this.#drop(count)
    for (const message of this.#queue) this.#write(message)
    if (count < expected) this.#emit('reset', { expected, count })
    this.#emit(type, { ...rest, count, gap })
    this.#report(counted)
  }

  #hear() {
    this.#lost = 0
    this.#heard = now()
    this.#usable = clock()
  }

  #named(id) {
    if (id == this.#held) return
    this.sessionId = id
    this.#remember()
    if (navigator.locks) this.#hold(id, {})
  }

  #remember() {
    this.#stored(JSON.stringify({ id: this.sessionId, attempt: this.#attempt }))
  }

  #acknowledge(count) {
    if (count <= this.#count) return // the same frame again
    this.#report(this.#drop(count))
  }

  // Only what was sent can have been counted: more than that was counted for somebody else who had the session.
  #drop(count) {
    let known = 0
    while (known < count - this.#count && this.#queue[known]?.sent) known++
    this.#count = count
    return this.#queue.splice(0, known)
  }

  #report(counted) {
    let count = this.#count - counted.length
    for (const { data, at } of counted) this.#emit('ack', { data, count: ++count, ms: clock() - at })
  }

  #write(message) {
    message.sent = true
    this.#live.send(message.data)
  }

  // Browsers hide a refused handshake's Retry-After; where it is known it is the least to wait. Above that, full jitter.
  #ended(link, { code, reason, status, retryAfter = BUSY.includes(code) ? BUSY_WAIT_S : 0 }) {
    const end = { code, reason, status }
    release(link)
    // A 4001 tells of somebody else only if this client has not knocked again since: its own newer attempt fences too.
    const taken = code == RESUMED_ELSEWHERE && link.attempt == this.#attempt
    if (taken || NEVER_AGAIN.includes(status ?? code)) return this.#stop(end)
    if (link == this.#next) this.#next = null
    else {
      this.#live = null
      this.#lost ||= clock()
      this.#fencedBy = code == RESUMED_ELSEWHERE && this.#next?.attempt
    }
    if (this.#next) return // a handover is on its way
    if (status == STALE) this.#stale++
    const { minDelay, maxDelay } = this.#options
    const delay = retryAfter * 1000 + Math.random() * Math.min(maxDelay, minDelay * 2 ** this.#failures++)
    this.#connectIn(delay)
    this.#emit('retry', { ...end, delay })
  }

  #connectIn(delay) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#connect(), delay)
  }

  // A connection can be dead and say nothing. In doubt a new one is opened beside it, which costs nothing if it was not.
  #check() {
    if (!this.#live || this.#next || this.#timer) return
    const { silence, timeout } = this.#options
    const since = Math.abs(now() - this.#heard) // a clock that was set back must not hide a silence
    if (since < (this.#queue.length ? timeout : silence)) return
    this.#lost ||= this.#usable
    this.#connect()
  }

  // The page is seen again or the network is back: no more backoff. A new network may have cut the old one's connections.
  #wake = ({ type }) => {
    this.#failures = 0
    if (this.#timer || (this.#live && type == 'online')) this.#connect()
    else this.#check()
  }

  #stop(end) {
    this.#over = true
    clearTimeout(this.#timer)
    clearInterval(this.#watch)
    for (const type of WAKE) removeEventListener?.(type, this.#wake)
    release(this.#live)
    release(this.#next)
    // As a WebSocket does: never from within the call that closes.
    setTimeout(() => this.#emit('close', { ...end, pending: this.#queue.map(({ data }) => data) }))
  }

  #emit(type, fields) {
    this.addEventListener(type, (event) => this['on' + type]?.(event), { once: true })
    this.dispatchEvent(Object.assign(new Event(type), fields))
  }

  // Storage may be missing, full or forbidden: then a reload starts a new session, and nothing else changes.
  #stored(text) {
    try {
      const { key, storage = sessionStorage } = this.#options
      return text ? storage.setItem(key, text) : storage.getItem(key)
    } catch {}
  }
}

function release(link) {
  if (!link) return
  clearTimeout(link.timer)
  link.onmessage = link.onclose = null
  link.close(NORMAL)
}

// What is not ours is passed on as it came.
function parse(data) {
  try {
    return JSON.parse(data) ?? {}
  } catch {
    return {}
  }
}
