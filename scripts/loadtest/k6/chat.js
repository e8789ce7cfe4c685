// The load of locustfile.py for k6: 80 % of the users chat, 20 % lurk; they resume, and check every reply.
//
//   k6 run -e HOST=http://127.0.0.1:8080 -e USERS=5000 -e DURATION=60s scripts/loadtest/k6/chat.js
//
// k6 ends with 99 if a check failed or nothing was acknowledged.
import { check, sleep } from 'k6'
import { Counter, Trend } from 'k6/metrics'
import exec from 'k6/execution'
import ws from 'k6/ws'

const HOST = (__ENV.HOST || 'http://127.0.0.1:8080').replace(/^http/, 'ws').replace(/\/$/, '')
const USERS = Number(__ENV.USERS || 5000)
const DURATION = __ENV.DURATION || '60s'
const LURKERS = Math.round(USERS / 5)
// Users come over this many milliseconds: 200 a second.
const SPREAD_MS = (USERS / 200) * 1000
// Within this a message is answered.
const ANSWER_MS = 10_000
const RESUMABLE = [1001, 1006, 1013]

const acknowledged = new Counter('acknowledged')
const resumes = new Counter('resumes')
const replyTime = new Trend('reply_time', true)

const group = (name, vus) => ({
  executor: 'constant-vus', vus, duration: DURATION, gracefulStop: '1s', exec: name,
})

export const options = {
  scenarios: { ...(USERS > LURKERS && { chat: group('chat', USERS - LURKERS) }), ...(LURKERS && { lurk: group('lurk', LURKERS) }) },
  thresholds: { checks: ['rate==1'], acknowledged: ['count>0'] },
}

export const chat = () => live([2, 10])
export const lurk = () => live([30, 120])

// What a user remembers from one connection to the next: a VU has its own copy of this module.
let session

function uuid() {
  return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () => Math.floor(Math.random() * 16).toString(16))
}

const between = ([low, high]) => 1000 * (low + Math.random() * (high - low))

// live is one connection of the session; k6 calls it again when it has ended.
function live(pause) {
  if (session) {
    resumes.add(1)
  } else {
    session = { id: uuid(), acknowledged: 0, unanswered: 0 }
    sleep(Math.random() * SPREAD_MS / 1000)
  }
  let answer
  try {
    answer = ws.connect(`${HOST}/ws/chat/?session_id=${session.id}`, {}, (socket) => converse(socket, pause))
  } catch (error) {
    answer = { status: 0, error }
  }
  // Refused with Retry-After, or nobody there: tried again.
  if (!answer || answer.status !== 101) sleep(0.1 + Math.random())
}

function converse(socket, pause) {
  let resumed = true
  let sentAt = 0
  let sends = 0
  const say = () => {
    const turn = ++sends
    sentAt = Date.now()
    session.unanswered++
    socket.send('hello')
    socket.setTimeout(() => {
      if (sentAt && turn === sends) check(null, { 'answered in time': () => false })
    }, ANSWER_MS)
  }
  socket.on('open', () => socket.setTimeout(say, 1 + between([0, 2])))
  socket.on('message', (data) => {
    const message = JSON.parse(data)
    if (message.type === 'heartbeat') return
    judge(message.count, resumed, sentAt > 0)
    replyTime.add(Date.now() - sentAt)
    resumed = false
    sentAt = 0
    socket.setTimeout(say, between(pause))
  })
  socket.on('close', (code) => {
    check(code, { 'closed for a reason to resume': () => exec.scenario.progress >= 1 || RESUMABLE.includes(code) })
  })
}

// judge: on one connection a count is the next one; after a resume it may have jumped over what was sent unanswered.
function judge(count, resumed, asked) {
  const first = session.acknowledged + 1
  const last = session.acknowledged + session.unanswered
  check(count, {
    'a reply to a message': () => asked,
    'the next count': () => resumed || count === first,
    'no acknowledged count lost': () => count >= first,
    'nothing counted twice': () => count <= last,
  })
  acknowledged.add(1)
  session.acknowledged = count
  session.unanswered = 0
}
