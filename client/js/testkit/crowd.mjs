// A crowd of clients that send at a steady rate until standard input ends, and then say what they saw:
// node crowd.mjs URL CLIENTS PER_SECOND handover|resume

import { Baton, WebSocket } from '../node.js'

const [url, clients, perSecond, way] = process.argv.slice(2)
const SETTLE_MS = 10_000

/** Hears no `reconnect`, so that the client stays until the server closes. */
class Deaf extends WebSocket {
  constructor(...args) {
    super(...args)
    let listener = null
    const heard = (event) => event.data.includes('"reconnect"') || listener(event)
    Object.defineProperty(this, 'onmessage', { get: () => listener && heard, set: (f) => (listener = f) })
  }
}

function join() {
  const baton = new Baton(url, way === 'handover' ? {} : { WebSocket: Deaf })
  const seen = { acks: [], gaps: [], sent: 0, disorder: 0 }
  let next = 0
  baton.onack = ({ data, ms }) => {
    if (data !== String(next++)) seen.disorder++
    seen.acks.push([Date.now() - ms, ms])
  }
  baton.onresume = ({ gap }) => seen.gaps.push([Date.now(), gap])
  const timer = setInterval(() => baton.send(String(seen.sent++)), 1000 / perSecond)
  return { baton, seen, timer }
}

const crowd = Array.from({ length: Number(clients) }, join)
await Promise.all(crowd.map(({ baton }) => new Promise((resolve) => (baton.onopen = resolve))))
console.log('ready')
process.stdin.resume()
await new Promise((resolve) => process.stdin.once('end', resolve))
for (const { timer } of crowd) clearInterval(timer)
for (const until = Date.now() + SETTLE_MS; crowd.some(({ baton }) => baton.pending) && Date.now() < until; )
  await new Promise((resolve) => setTimeout(resolve, 10))
for (const { baton } of crowd) baton.close()
console.log(JSON.stringify(crowd.map(({ seen }) => seen)))
