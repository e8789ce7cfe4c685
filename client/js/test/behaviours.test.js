// The table that the Go client runs too: client/testdata/behaviours.json, which says what its fields mean.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, numbered, until } from '../testkit/client.js'
import { Sessions, serve } from '../testkit/server.js'

const SESSION = '0e37df36-f698-4d1c-9f0e-0d8bde6b2f6a'
const { cases } = JSON.parse(readFileSync(new URL('../../testdata/behaviours.json', import.meta.url)))

/** A server that follows a script, and what it saw. */
class Player {
  sessions = new Sessions()
  times = [] // of the handshakes
  #scripts
  #passed = new Map()

  constructor(scripts) {
    this.#scripts = scripts
  }

  async serve(connection) {
    const number = connection.index + 1
    const at = (step, message = 0) => this.#step(connection, number, step, message)
    const texts = []
    let arrived
    connection.ontext = (text) => (texts.push(text), arrived?.())
    connection.onend = () => (this.#mark(`${number} ended`).pass(), arrived?.())
    this.times.push(performance.now())
    if (await at('handshake')) return
    const claim = this.sessions.claim(connection)
    if (!claim) return connection.refuse(409)
    if (await at('claimed')) return
    connection.accept()
    if (await at('opened')) return
    const { session, resumed } = claim
    const count = total(session)
    connection.send({ type: 'session', session_id: session.id, count, resumed, color: 'blue', instance: 'scripted' })
    if (await at('greeted')) return
    for (let n = 1; !connection.socket.destroyed; n++) {
      if (!texts.length) await new Promise((resolve) => (arrived = resolve))
      if (!texts.length) return
      if (await at('received', n)) return
      const count = this.sessions.commit(session, connection, texts.shift())
      if (count === null) return connection.close(4001)
      if (await at('counted', n)) return
      connection.send({ count })
      if (await at('replied', n)) return
    }
  }

  /** Tells whether the script ended the connection. */
  async #step(connection, number, step, message) {
    this.#mark(`${number} ${step}`).pass()
    const of = this.#scripts[number - 1] ?? []
    const action = of.find((a) => a.at === step && (!a.message || a.message === message))
    return action ? this.#act(action, connection) : false
  }

  async #act(action, connection) {
    const session = this.sessions.at(SESSION)
    if ('store_count' in action) Object.assign(session, { base: action.store_count, messages: [] })
    if (action.attempt_ahead_ms) session.attempt = Date.now() + action.attempt_ahead_ms
    for (const text of action.say ?? []) connection.send(text.replace('$count', total(session)))
    if (action.half) connection.half(action.half)
    if (action.await) await this.#mark(action.await).passed
    if (action.pause_ms) await pause(action.pause_ms)
    if (action.cut) connection.cut()
    else if (action.close) connection.close(action.close)
    else if (action.refuse) connection.refuse(action.refuse, action.retry_after && { 'Retry-After': action.retry_after })
    else return false
    return true
  }

  #mark(step) {
    if (!this.#passed.has(step)) {
      const mark = {}
      mark.passed = new Promise((resolve) => (mark.pass = resolve))
      this.#passed.set(step, mark)
    }
    return this.#passed.get(step)
  }
}

const total = ({ base, messages }) => base + messages.length

async function run(t, { send, then = 0, connections: scripts, expect }) {
  const player = new Player(scripts)
  const { url } = await serve(t, (connection) => player.serve(connection))
  const { baton, of } = connect(t, url, { sessionId: SESSION })
  for (const text of numbered(send)) baton.send(text)
  const counts = () => of('ack').map(({ count }) => count)
  if (expect.end) {
    await until(baton, () => of('close').length > 0, 'the end')
  } else {
    await until(baton, () => of('resume').length >= (expect.moves ?? []).length, 'the moves')
    for (const text of numbered(then)) baton.send(text)
    await until(baton, () => counts().length >= expect.acks.length, 'the acknowledgements')
  }
  assert.equal(player.times.length, expect.handshakes, 'handshakes')
  for (const [number, least] of Object.entries(expect.wait_ms ?? {})) {
    assert.ok(player.times[number - 1] - player.times[number - 2] >= least, `handshake ${number} waits ${least} ms at least`)
  }
  const got = {
    acks: counts(),
    stored: total(player.sessions.at(SESSION)),
    moves: of('resume').map(({ gap }) => (gap > 0 ? 'gap' : 'none')),
    troubles: of('retry').map(({ status, code }) => status ?? code),
    resets: of('reset').map(({ expected, count }) => [expected, count]),
    end: of('close').map(({ status, code }) => status ?? code)[0] ?? 0,
  }
  const { acks, stored, moves = [], troubles = got.troubles, resets = [], end = 0 } = expect
  assert.deepEqual(got, { acks, stored, moves, troubles, resets, end })
}

describe('behaviours', { concurrency: 8 }, () => {
  for (const behaviour of cases) test(behaviour.name, (t) => run(t, behaviour))
})
