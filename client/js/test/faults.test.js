import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, numbered, until } from '../testkit/client.js'
import { Sessions, serve } from '../testkit/server.js'

const MESSAGES = numbered(20)

/** Serves as the real server does, but lets `fault(step, connection, n)` end the connection by returning true. */
function faulty(sessions, fault) {
  return (connection) => {
    const at = (step, n = 0) => fault(step, connection, n)
    if (at('before the claim')) return connection.cut()
    const claim = sessions.claim(connection)
    if (!claim) return connection.refuse(409)
    if (at('after the claim')) return connection.cut()
    connection.accept()
    if (at('before the session message')) return connection.cut()
    const { session, resumed } = claim
    connection.send({ type: 'session', session_id: session.id, count: session.messages.length, resumed })
    if (at('after the session message')) return connection.cut()
    connection.ontext = (text) => {
      if (connection.socket.destroyed) return
      if (at('before the commit', session.messages.length + 1)) return connection.cut()
      const count = sessions.commit(session, connection, text)
      if (count === null) return connection.close(4001)
      if (at('before the reply', count)) return connection.cut()
      connection.send({ count })
      if (at('after the reply', count)) return connection.cut()
    }
  }
}

async function exactlyOnce(t, sessions, script, options) {
  const { url, connections } = await serve(t, script)
  const client = connect(t, url, options)
  for (const text of MESSAGES) client.baton.send(text)
  await until(client.baton, () => client.of('ack').length === MESSAGES.length)
  assert.deepEqual(sessions.get(client.baton.sessionId).messages, MESSAGES)
  assert.deepEqual(client.of('ack').map(({ data }) => data), MESSAGES)
  assert.deepEqual(client.of('ack').map(({ count }) => count), MESSAGES.map((_, i) => i + 1))
  return { ...client, connections }
}

test('cuts anywhere, at random', async (t) => {
  const sessions = new Sessions()
  await exactlyOnce(t, sessions, faulty(sessions, () => Math.random() < 0.05), { maxDelay: 10 })
})

test('one count may acknowledge several messages', async (t) => {
  const sessions = new Sessions()
  await exactlyOnce(t, sessions, (connection) => {
    sessions.serve(connection)
    const send = connection.send.bind(connection)
    connection.send = (value) => value.count % 5 === 0 && send(value)
  })
})

test('backs off at random, further with each failure, up to the maximum', async (t) => {
  const { url } = await serve(t, (connection) => connection.refuse(503))
  t.mock.method(Math, 'random', () => 1)
  const { baton, of } = connect(t, url, { minDelay: 4, maxDelay: 20 })
  await until(baton, () => of('retry').length === 5)
  assert.deepEqual(of('retry').map(({ delay }) => delay), [4, 8, 16, 20, 20])
})

test('a connection that worked starts the backoff afresh', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => (connection.index < 3 ? connection.refuse(503) : sessions.serve(connection)))
  t.mock.method(Math, 'random', () => 1)
  const { baton, of } = connect(t, url, { minDelay: 4, maxDelay: 1000 })
  baton.send('one')
  await until(baton, () => baton.count === 1)
  connections[3].cut()
  await until(baton, () => of('resume').length === 1)
  assert.deepEqual(of('retry').map(({ delay }) => delay), [4, 8, 16, 4])
})

test('a handshake without an answer is given up, and the next attempt is newer', async (t) => {
  const sessions = new Sessions()
  const script = (connection) => connection.index > 0 && sessions.serve(connection)
  const { connections, of } = await exactlyOnce(t, sessions, script, { timeout: 50 })
  assert.equal(of('retry')[0].reason, 'timeout')
  assert.ok(connections[1].attempt > connections[0].attempt)
})
