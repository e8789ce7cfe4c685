// A WebSocket server that does what a script tells it, and a session store that follows the rules of baton.v1.

import { createHash, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { Frames, OPCODE, encode } from '../frames.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const MAX_MESSAGE_BYTES = 1 << 16

/** Starts a server on a free port. `script(connection)` runs for each handshake, which it accepts or refuses. */
export async function serve(t, script) {
  const connections = []
  const server = createServer((request, response) => response.writeHead(426).end())
  server.on('upgrade', (request, socket) => {
    const connection = new Connection(request, socket, connections.length)
    connections.push(connection)
    script(connection)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const connection of connections) connection.cut()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `ws://127.0.0.1:${server.address().port}/ws/chat/`, connections }
}

export class Connection {
  ontext = () => {}
  onend = () => {}
  closed = null

  constructor(request, socket, index) {
    const { searchParams } = new URL(request.url, 'http://localhost')
    this.request = request
    this.index = index
    this.session = searchParams.get('session_id')
    this.attempt = Number(searchParams.get('attempt'))
    this.socket = socket
    socket.on('error', () => {}).on('close', () => this.onend())
  }

  accept() {
    const accept = createHash('sha1').update(this.request.headers['sec-websocket-key'] + GUID).digest('base64')
    this.socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: baton.v1\r\n\r\n`,
    )
    const frames = new Frames({ masked: true, max: MAX_MESSAGE_BYTES }, (opcode, payload) => this.#frame(opcode, payload))
    this.socket.on('data', (bytes) => frames.push(bytes))
  }

  refuse(status, headers = {}) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\n${lines.join('')}\r\n`)
  }

  send(value) {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    if (!this.socket.destroyed) this.socket.write(encode(OPCODE.text, Buffer.from(text)))
  }

  /** The first half of a frame. */
  half(text) {
    const frame = encode(OPCODE.text, Buffer.from(text))
    this.socket.write(frame.subarray(0, frame.length - text.length / 2))
  }

  close(code, reason = '') {
    const payload = Buffer.alloc(2 + reason.length)
    payload.writeUInt16BE(code)
    payload.write(reason, 2)
    this.socket.write(encode(OPCODE.close, payload))
    this.socket.end()
  }

  cut() {
    this.socket.destroy()
  }

  #frame(opcode, payload) {
    if (opcode === OPCODE.text) this.ontext(payload.toString())
    if (opcode === OPCODE.close) {
      this.closed = payload.readUInt16BE()
      this.socket.end()
    }
  }
}

/** Resolves when the connection is over. */
export function closed(connection) {
  return new Promise((resolve) => {
    if (connection.socket.destroyed) return resolve()
    connection.onend = resolve
  })
}

/** What the server does: claim, count, fence. It remembers the messages themselves, to compare. */
export class Sessions {
  #sessions = new Map()

  get(id) {
    return this.#sessions.get(id)
  }

  /** The session of this name, a new one if there is none. */
  at(id) {
    if (!this.#sessions.has(id)) this.#sessions.set(id, { id, messages: [], base: 0, attempt: 0 })
    return this.#sessions.get(id)
  }

  /** Claims the session for a connection; null when a newer attempt has it. */
  claim(connection) {
    const id = connection.session || randomUUID()
    const resumed = this.#sessions.has(id)
    const session = this.at(id)
    if (connection.attempt <= session.attempt) return null
    session.attempt = connection.attempt
    session.owner = connection
    return { session, resumed }
  }

  /** Counts a message; null when somebody else owns the session by now. */
  commit(session, connection, text) {
    if (session.owner !== connection) return null
    session.messages.push(text)
    return session.base + session.messages.length
  }

  /** Accepts a connection and serves it as the real server would. */
  serve(connection, instance = 'one') {
    const claim = this.claim(connection)
    if (!claim) return connection.refuse(409)
    const { session, resumed } = claim
    connection.accept()
    const count = session.base + session.messages.length
    connection.send({ type: 'session', session_id: session.id, count, resumed, color: 'blue', instance })
    connection.ontext = (text) => {
      const count = this.commit(session, connection, text)
      if (count === null) connection.close(4001, 'session resumed elsewhere')
      else connection.send({ count })
    }
    return session
  }
}
