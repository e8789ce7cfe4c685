import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Memory, connect, numbered, until } from '../testkit/client.js'
import { Sessions, closed, serve } from '../testkit/server.js'

test('counts each message and says so', async (t) => {
  const sessions = new Sessions()
  const { url } = await serve(t, (connection) => sessions.serve(connection))
  const { baton, of } = connect(t, url)
  for (const text of ['one', '', 'three ✓']) baton.send(text)
  await until(baton, () => baton.count === 3)
  assert.deepEqual(of('ack').map(({ data, count }) => [data, count]), [['one', 1], ['', 2], ['three ✓', 3]])
  assert.deepEqual(sessions.get(baton.sessionId).messages, ['one', '', 'three ✓'])
  assert.equal(baton.pending, 0)
  assert.equal(of('open').length, 1)
  assert.deepEqual([of('open')[0].color, of('open')[0].resumed, of('open')[0].gap], ['blue', false, 0])
})

test('takes on… handlers too, and messages from within one', async (t) => {
  const sessions = new Sessions()
  const { url } = await serve(t, (connection) => sessions.serve(connection))
  const { baton } = connect(t, url)
  const counts = []
  baton.onack = ({ count }) => counts.push(count)
  baton.onopen = () => baton.send('from a listener')
  baton.send('first')
  await until(baton, () => baton.count === 2)
  assert.deepEqual(counts, [1, 2])
  assert.deepEqual(sessions.get(baton.sessionId).messages, ['first', 'from a listener'])
})

test('passes on heartbeats and whatever else is no count', async (t) => {
  const sessions = new Sessions()
  const { url } = await serve(t, (connection) => {
    sessions.serve(connection)
    for (const text of ['{"type":"heartbeat","ts":"now"}', 'not json', '"json"', 'null', '[1]']) connection.send(text)
  })
  const { baton, of } = connect(t, url)
  await until(baton, () => of('message').length === 5)
  assert.deepEqual(of('message').map(({ data }) => data), ['{"type":"heartbeat","ts":"now"}', 'not json', '"json"', 'null', '[1]'])
})

test('refuses what is not text, and everything after close', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection))
  const { baton, of } = connect(t, url)
  assert.equal(baton.readyState, 0)
  assert.throws(() => baton.send(new Uint8Array(1)), TypeError)
  await until(baton, () => baton.readyState === 1)
  baton.send('last words')
  baton.close()
  baton.close()
  assert.equal(baton.readyState, 3)
  assert.throws(() => baton.send('more'), /closed/)
  await until(baton, () => of('close').length > 0)
  assert.deepEqual([of('close').length, of('close')[0].code, of('close')[0].pending], [1, 1000, ['last words']])
  await closed(connections[0])
  assert.equal(connections[0].closed, 1000)
  assert.deepEqual(sessions.get(baton.sessionId).messages, ['last words'])
})

test('a reload resumes the session of the tab, with a higher attempt', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection))
  const storage = new Memory()
  const before = connect(t, url, { storage })
  before.baton.send('one')
  await until(before.baton, () => before.baton.count === 1)
  before.baton.close()

  const after = connect(t, url, { storage })
  after.baton.send('two')
  await until(after.baton, () => after.baton.count === 2)
  assert.equal(after.baton.sessionId, before.baton.sessionId)
  assert.equal(after.of('open')[0].resumed, true)
  assert.ok(connections[1].attempt > connections[0].attempt)
})

test('a clock that was set back does not make a stale attempt', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection))
  const storage = new Memory()
  const before = connect(t, url, { storage })
  await until(before.baton, () => before.baton.readyState === 1)
  before.baton.close()
  t.mock.method(Date, 'now', () => 1000)
  const after = connect(t, url, { storage })
  await until(after.baton, () => after.baton.readyState === 1)
  assert.equal(connections[1].attempt, connections[0].attempt + 1)
})

test('asked for a new session it starts one, and forgets the old', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection))
  const storage = new Memory()
  const first = connect(t, url, { storage })
  await until(first.baton, () => first.baton.readyState === 1)
  first.baton.close()
  const second = connect(t, url, { storage, sessionId: null })
  await until(second.baton, () => second.baton.readyState === 1)
  assert.equal(connections[1].session, null)
  assert.notEqual(second.baton.sessionId, first.baton.sessionId)
  assert.equal(JSON.parse([...storage.items.values()][0]).id, second.baton.sessionId)
})

test('a storage that throws is as good as none', async (t) => {
  const sessions = new Sessions()
  const { url } = await serve(t, (connection) => sessions.serve(connection))
  const refuse = () => {
    throw new Error('QuotaExceededError')
  }
  const { baton } = connect(t, url, { storage: { getItem: refuse, setItem: refuse } })
  baton.send('one')
  await until(baton, () => baton.count === 1)
})

test('a session that another client has is taken over, and that client stops with 4001', async (t) => {
  const sessions = new Sessions()
  const { url, connections } = await serve(t, (connection) => sessions.serve(connection))
  const first = connect(t, url)
  first.baton.send('one')
  await until(first.baton, () => first.baton.count === 1)
  const second = connect(t, url, { sessionId: first.baton.sessionId })
  await until(second.baton, () => second.baton.readyState === 1)
  assert.equal(second.baton.count, 1)
  first.baton.send('lost to the newer one')
  await until(first.baton, () => first.of('close').length > 0)
  assert.deepEqual([first.of('close')[0].code, first.of('close')[0].pending], [4001, ['lost to the newer one']])
  assert.equal(first.of('retry').length, 0)
  second.baton.send('two')
  await until(second.baton, () => second.baton.count === 2)
  assert.equal(connections.length, 2)
  assert.deepEqual(sessions.get(second.baton.sessionId).messages, ['one', 'two'])
})

test('many messages at once stay in order', async (t) => {
  const sessions = new Sessions()
  const { url } = await serve(t, (connection) => sessions.serve(connection))
  const { baton } = connect(t, url)
  const texts = numbered(2000)
  for (const text of texts) baton.send(text)
  await until(baton, () => baton.count === texts.length)
  assert.deepEqual(sessions.get(baton.sessionId).messages, texts)
})
