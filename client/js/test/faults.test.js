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

const STEPS = ['before the claim', 'after the claim', 'before the session message', 'after the session message']
for (const step of STEPS) {
  test(`a cut ${step} loses nothing`, async (t) => {
    const sessions = new Sessions()
    const script = faulty(sessions, (at, { index }) => at === step && index < 3)
    const { connections } = await exactlyOnce(t, sessions, script)
    assert.equal(connections.length, 4)
  })
}

for (const step of ['before the commit', 'before the reply', 'after the reply']) {
  test(`a cut ${step} of a message loses nothing and counts nothing twice`, async (t) => {
    const sessions = new Sessions()
    const script = faulty(sessions, (at, { index }, n) => at === step && index < 3 && n === 5 * (index + 1))
    const { of } = await exactlyOnce(t, sessions, script)
    assert.ok(of('resume').length >= 2)
    assert.ok(of('resume').every(({ gap }) => gap > 0))
  })
}

test('cuts anywhere, at random', async (t) => {
  const sessions = new Sessions()
  await exactlyOnce(t, sessions, faulty(sessions, () => Math.random() < 0.05), { maxDelay: 10 })
})

for (const code of [1001, 1011, 1012, 1013, 4000, 4002]) {
  test(`resumes after close ${code}`, async (t) => {
    const sessions = new Sessions()
    const script = (connection) => {
      const session = sessions.serve(connection)
      if (connection.index > 0) return
      const count = connection.ontext
      connection.ontext = (text) => (session.messages.length < 7 ? count(text) : connection.close(code, 'why'))
    }
    const { of } = await exactlyOnce(t, sessions, script)
    assert.deepEqual([of('retry')[0].code, of('retry')[0].reason], [code, 'why'])
    if (code === 1013) assert.ok(of('retry')[0].delay >= 1000, 'a busy server is given a second at least')
  })
}

for (const code of [1002, 1003, 1007, 1009]) {
  test(`stops at close ${code}: the same message would end the next connection too`, async (t) => {
    const sessions = new Sessions()
    const { url, connections } = await serve(t, (connection) => {
      sessions.serve(connection)
      connection.ontext = () => connection.close(code)
    })
    const { baton, of } = connect(t, url)
    baton.send('poison')
    await until(baton, () => of('close').length > 0)
    assert.deepEqual([of('close')[0].code, of('close')[0].pending, connections.length], [code, ['poison'], 1])
  })
}

test('a reply that comes twice acknowledges once', async (t) => {
  const sessions = new Sessions()
  await exactlyOnce(t, sessions, (connection) => {
    sessions.serve(connection)
    const send = connection.send.bind(connection)
    connection.send = (value) => {
      send(value)
      if (value.count > 1) send({ count: value.count - 1 })
      send(value)
    }
  })
})

test('one count may acknowledge several messages', async (t) => {
  const sessions = new Sessions()
  await exactlyOnce(t, sessions, (connection) => {
    sessions.serve(connection)
    const send = connection.send.bind(connection)
    connection.send = (value) => value.count % 5 === 0 && send(value)
  })
})

test('a 503 is waited out for as long as its Retry-After says', async (t) => {
  const sessions = new Sessions()
  const started = performance.now()
  const { url } = await serve(t, (connection) => {
    if (connection.index === 0) return connection.refuse(503, { 'Retry-After': 1 })
    assert.ok(performance.now() - started >= 1000)
    sessions.serve(connection)
  })
  const { baton, of } = connect(t, url)
  baton.send('patience')
  await until(baton, () => baton.count === 1)
  assert.equal(of('retry')[0].status, 503)
  assert.ok(of('retry')[0].delay >= 1000)
})

for (const status of [400, 403]) {
  test(`a handshake refused with ${status} is not tried again`, async (t) => {
    const { url, connections } = await serve(t, (connection) => connection.refuse(status))
    const { baton, of } = connect(t, url, { sessionId: 'no uuid' })
    await until(baton, () => of('close').length > 0)
    assert.deepEqual([of('close')[0].status, connections.length], [status, 1])
  })
}

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

test('a server that forgot is reported, and what waits is numbered on from there', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection))
  const { baton, of } = connect(t, url)
  for (const text of ['one', 'two', 'three']) baton.send(text)
  await until(baton, () => baton.count === 3)
  sessions.get(baton.sessionId).messages.length = 1
  connections[0].cut()
  await until(baton, () => of('retry').length === 1)
  baton.send('four')
  await until(baton, () => baton.count === 2)
  assert.deepEqual(of('reset').map(({ expected, count }) => [expected, count]), [[3, 1]])
  assert.deepEqual(of('ack').map(({ data, count }) => [data, count]).at(-1), ['four', 2])
})

test('what somebody else counted does not acknowledge what was never sent', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => {
    if (connection.index === 1) sessions.get(connection.session).base = 10
    sessions.serve(connection)
  })
  const { baton, of } = connect(t, url)
  await until(baton, () => baton.readyState === 1)
  connections[0].cut()
  await until(baton, () => of('retry').length === 1)
  baton.send('mine')
  await until(baton, () => of('ack').length === 1)
  assert.deepEqual([of('ack')[0].data, of('ack')[0].count], ['mine', 11])
})

test('a handshake without an answer is given up, and the next attempt is newer', async (t) => {
  const sessions = new Sessions()
  const script = (connection) => connection.index > 0 && sessions.serve(connection)
  const { connections, of } = await exactlyOnce(t, sessions, script, { timeout: 50 })
  assert.equal(of('retry')[0].reason, 'timeout')
  assert.ok(connections[1].attempt > connections[0].attempt)
})
