// RFC 6455 frames: bytes in, whole messages out. Both sides use it: `masked` says what the peer has to do.

import { randomBytes } from 'node:crypto'

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }

const FIN = 0x80
const MASK = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127

export class Frames {
  #buffer = Buffer.alloc(0)
  #parts = []
  #opcode
  #masked
  #max
  #deliver

  constructor({ masked, max }, deliver) {
    this.#masked = masked
    this.#max = max
    this.#deliver = deliver
  }

  push(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes])
    for (let frame = this.#next(); frame; frame = this.#next()) this.#frame(frame)
  }

  #next() {
    const buffer = this.#buffer
    if (buffer.length < 2) return null
    let length = buffer[1] & 0x7f
    let at = 2
    if (length === LENGTH_16) {
      if (buffer.length < 4) return null
      length = buffer.readUInt16BE(2)
      at = 4
    } else if (length === LENGTH_64) {
      if (buffer.length < 10) return null
      length = Number(buffer.readBigUInt64BE(2))
      at = 10
    }
    if (length > this.#max) throw new Error('message too big')
    const masked = Boolean(buffer[1] & MASK)
    if (masked !== this.#masked) throw new Error(masked ? 'masked frame' : 'unmasked frame')
    const key = masked ? buffer.subarray(at, (at += 4)) : null
    if (buffer.length < at + length) return null
    const payload = Buffer.from(buffer.subarray(at, at + length))
    if (key) mask(payload, key)
    this.#buffer = buffer.subarray(at + length)
    return { opcode: buffer[0] & 0x0f, fin: Boolean(buffer[0] & FIN), payload }
  }

  #frame({ opcode, fin, payload }) {
    if (opcode >= OPCODE.close) return this.#deliver(opcode, payload)
    if (opcode !== OPCODE.continuation) this.#opcode = opcode
    this.#parts.push(payload)
    if (!fin) return
    const message = Buffer.concat(this.#parts)
    this.#parts = []
    this.#deliver(this.#opcode, message)
  }
}

export function encode(opcode, payload, masked = false) {
  const size = payload.length
  const head = Buffer.alloc(size < LENGTH_16 ? 2 : size < 1 << 16 ? 4 : 10)
  head[0] = FIN | opcode
  if (head.length === 2) head[1] = size
  else if (head.length === 4) {
    head[1] = LENGTH_16
    head.writeUInt16BE(size, 2)
  } else {
    head[1] = LENGTH_64
    head.writeBigUInt64BE(BigInt(size), 2)
  }
  if (!masked) return Buffer.concat([head, payload])
  head[1] |= MASK
  const key = randomBytes(4)
  const body = Buffer.from(payload)
  mask(body, key)
  return Buffer.concat([head, key, body])
}

function mask(payload, key) {
  for (let i = 0; i < payload.length; i++) payload[i] ^= key[i & 3]
}
