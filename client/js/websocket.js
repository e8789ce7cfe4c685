// The client side of RFC 6455 on node:http, as much of it as Baton needs: text, ping, close, fragments; no extensions.

import { randomBytes, createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { Frames, OPCODE, encode } from './frames.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455, section 1.3
const LOST = 1006
const NO_STATUS = 1005
const MAX_MESSAGE_BYTES = 1 << 20
const CLOSE_TIMEOUT_MS = 2000

export class WebSocket {
  onmessage = null
  onclose = null
  #request
  #socket
  #closing = false
  #ended = false
  #end = { code: LOST, reason: '' }

  constructor(url, protocol) {
    const target = new URL(url)
    target.protocol = target.protocol.replace('ws', 'http')
    const key = randomBytes(16).toString('base64')
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': key }
    if (protocol) headers['Sec-WebSocket-Protocol'] = protocol
    const { request } = target.protocol === 'https:' ? https : http
    this.#request = request(target, { headers, agent: false })
      .on('upgrade', (response, socket, head) => this.#upgraded(response, socket, head, key))
      .on('response', (response) => this.#refused(response))
      .on('error', (error) => this.#finish({ code: LOST, reason: error.message }))
      .end()
  }

  send(text) {
    if (!this.#closing && this.#socket) this.#socket.write(encode(OPCODE.text, Buffer.from(text), true))
  }

  close(code = 1000) {
    if (this.#closing || this.#ended) return
    this.#closing = true
    if (!this.#socket) return this.#request.destroy()
    this.#sayClose(code)
  }

  #upgraded(response, socket, head, key) {
    const accept = createHash('sha1').update(key + GUID).digest('base64')
    if (response.headers['sec-websocket-accept'] !== accept) return socket.destroy()
    this.#socket = socket
    const frames = new Frames({ masked: false, max: MAX_MESSAGE_BYTES }, (opcode, payload) => this.#frame(opcode, payload))
    const read = (bytes) => {
      try {
        frames.push(bytes)
      } catch (error) {
        this.#end = { code: LOST, reason: error.message }
        socket.destroy()
      }
    }
    socket.setNoDelay(true)
    socket.on('data', read).on('error', () => {}).on('close', () => this.#finish(this.#end))
    socket.on('end', () => socket.end())
    read(head)
  }

  #refused(response) {
    const { statusCode: status, headers } = response
    response.resume()
    this.#finish({ code: LOST, reason: `handshake refused: ${status}`, status, retryAfter: seconds(headers['retry-after']) })
    this.#request.destroy()
  }

  #frame(opcode, payload) {
    if (opcode === OPCODE.text) this.onmessage?.({ data: payload.toString() })
    if (opcode === OPCODE.ping && !this.#closing) this.#socket.write(encode(OPCODE.pong, payload, true))
    if (opcode === OPCODE.close) this.#closed(payload)
  }

  #closed(payload) {
    const code = payload.length >= 2 ? payload.readUInt16BE() : NO_STATUS
    this.#end = { code, reason: payload.subarray(2).toString() }
    if (this.#closing) return this.#socket.end()
    this.#closing = true
    this.#sayClose(code === NO_STATUS ? 1000 : code)
    this.#socket.end()
  }

  // The peer answers a close frame with its own and ends the connection; one that doesn't is cut off.
  #sayClose(code) {
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    this.#socket.write(encode(OPCODE.close, payload, true))
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #finish(event) {
    if (this.#ended) return
    this.#ended = true
    this.onclose?.(event)
  }
}

// Retry-After is a number of seconds or a date (RFC 9110, section 10.2.3).
function seconds(value) {
  if (value === undefined) return undefined
  const number = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(number) ? Math.max(0, number) : undefined
}
