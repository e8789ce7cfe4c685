import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, until } from '../testkit/client.js'
import { Sessions, closed, serve } from '../testkit/server.js'

const WITHIN_MS = 200

test('on reconnect it moves before the old connection ends, with no gap', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection, `server ${connection.index}`))
  const { baton, of } = connect(t, url)
  const sending = setInterval(() => baton.readyState === 1 && baton.send(`message ${++sent}`), 1)
  let sent = 0
  t.after(() => clearInterval(sending))
  await until(baton, () => baton.count > 10)
  connections[0].send({ type: 'reconnect', within_ms: WITHIN_MS })
  await until(baton, () => of('resume').length === 1)
  await until(baton, () => baton.count > sent - 1 && sent > 50)
  clearInterval(sending)
  await until(baton, () => baton.pending === 0)
  assert.deepEqual([of('resume')[0].gap, of('resume')[0].instance], [0, 'server 1'])
  assert.equal(of('retry').length, 0)
  const texts = Array.from({ length: sent }, (_, i) => `message ${i + 1}`)
  assert.deepEqual(sessions.get(baton.sessionId).messages, texts)
  assert.deepEqual(of('ack').map(({ data }) => data), texts)
  await closed(connections[0])
  // By the client, or by the server where a message was on its way to it still.
  assert.ok([1000, 4001].includes(connections[0].closed), `the old connection ended ${connections[0].closed}`)
})

test('the moment to move is random, and within the time granted', async (t) => {
  t.mock.method(Math, 'random', () => 0.999)
  const sessions = new Sessions()
  let asked
  const { url, connections } = await serve(t, (connection) => {
    if (connection.index === 1) assert.ok(performance.now() - asked < WITHIN_MS)
    if (connection.index === 1) assert.ok(performance.now() - asked > WITHIN_MS / 2)
    sessions.serve(connection)
  })
  const { baton, of } = connect(t, url)
  await until(baton, () => baton.readyState === 1)
  asked = performance.now()
  connections[0].send({ type: 'reconnect', within_ms: WITHIN_MS })
  await until(baton, () => of('resume').length === 1)
})

test('a connection that says nothing is replaced', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => {
    sessions.serve(connection)
    if (connection.index === 0) connection.ontext = () => {}
  })
  const { baton, of } = connect(t, url, { timeout: 50 })
  baton.send('into the void')
  await until(baton, () => baton.count === 1)
  assert.equal(of('resume').length, 1)
  assert.ok(of('resume')[0].gap > 0)
  assert.equal(connections.length, 2)
})

test('after a sleep, or a clock that jumped, a silent connection is replaced', async (t) => {
  const sessions = new Sessions()
  const { url } = await serve(t, (connection) => sessions.serve(connection))
  const { baton, of } = connect(t, url)
  await until(baton, () => baton.readyState === 1)
  const now = Date.now
  t.mock.method(Date, 'now', () => now() - 3_600_000)
  await until(baton, () => of('resume').length === 1)
  t.mock.method(Date, 'now', () => now() + 3_600_000)
  await until(baton, () => of('resume').length === 2)
  baton.send('awake')
  await until(baton, () => baton.count === 1)
})
