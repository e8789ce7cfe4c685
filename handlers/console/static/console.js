// The console: one session, everything it does, and the buttons to disturb it.

import { Baton } from './baton.js'
import { Chart, milliseconds } from './chart.js'
import { Network } from './network.js'
import { Tally } from './tally.js'
import { Timeline } from './timeline.js'

const BURST = 100
const STREAM_EVERY_MS = 200
const BREAK_MS = 2000
const MAX_DELAY_MS = 2000 // somebody watches: be back soon
const RESUMED_ELSEWHERE = 4001

const $ = (id) => document.getElementById(id)
const show = (id, value) => ($(id).textContent = value)

class Console {
  #chart = new Chart($('chart'), $('chart-summary'))
  #timeline = new Timeline($('timeline'))
  #network = new Network()
  #tally
  #baton
  #stream
  #drawing = false

  constructor() {
    const wanted = new URLSearchParams(location.search).get('session_id')
    this.#open(wanted || undefined)
    this.#controls()
  }

  #open(sessionId) {
    $('ended').hidden = true
    this.#tally = new Tally()
    this.#chart.clear()
    this.#state('connecting', 'Connecting …')
    const options = { sessionId, maxDelay: MAX_DELAY_MS, WebSocket: this.#network.WebSocket }
    const baton = new Baton(new URL('ws/chat/', location.href), options)
    this.#baton = baton
    const handlers = {
      open: (event) => this.#opened(event),
      resume: (event) => this.#resumed(event),
      ack: (event) => this.#acknowledged(event),
      message: (event) => this.#message(event),
      retry: (event) => this.#lost(event),
      reset: (event) => this.#reset(event),
      close: (event) => this.#ended(event),
    }
    // A session that was left may still say goodbye; the page is somebody else's by then.
    for (const [type, handle] of Object.entries(handlers)) {
      baton.addEventListener(type, (event) => baton === this.#baton && handle(event))
    }
    this.#draw()
  }

  #opened(event) {
    this.#serving(event)
    const how = event.resumed ? `resumed at ${event.count}` : 'new session'
    this.#state('open', `Connected to ${event.color}: ${how}.`)
    this.#timeline.add(`Connected to ${event.color}: ${how}`, { color: event.color })
  }

  #resumed(event) {
    this.#tally.reconnects++
    this.#serving(event)
    const gap = event.gap ? `${milliseconds(event.gap)} gap` : 'no gap'
    const how = event.gap ? 'Resumed on' : 'Handed over to'
    this.#state('open', `${how} ${event.color} at ${event.count}, ${gap}.`)
    this.#timeline.add(`${how} ${event.color}, ${event.instance}`, { color: event.color, gap })
  }

  #serving({ color, instance }) {
    document.documentElement.dataset.color = color
    document.title = `Baton console: ${color}`
    show('color', color)
    show('instance', instance)
    show('session', this.#baton.sessionId)
    $('second').href = `?session_id=${encodeURIComponent(this.#baton.sessionId)}`
    this.#draw()
    this.#showVersion()
  }

  async #showVersion() {
    try {
      const answer = await fetch('version')
      if (answer.ok) show('version', (await answer.json()).version)
    } catch {} // the server left in this very moment; the next connection asks again
  }

  #acknowledged({ data, count, ms }) {
    this.#tally.acknowledge(data, count)
    this.#chart.add(ms)
    this.#draw()
  }

  #message({ data }) {
    let message
    try {
      message = JSON.parse(data)
    } catch {
      return
    }
    if (message?.type !== 'heartbeat') return
    this.#tally.heartbeats++
    show('last-heartbeat', `Last heartbeat at ${new Date(message.ts).toLocaleTimeString([], { hour12: false })}.`)
    $('pulse').classList.remove('beat')
    requestAnimationFrame(() => $('pulse').classList.add('beat'))
    this.#draw()
  }

  #lost({ code, reason, delay }) {
    const why = reason ? `${code}, ${reason}` : code
    const what = $('status').dataset.state === 'open' && this.#baton.readyState === 0 ? 'Connection ended' : 'No connection'
    if (this.#baton.readyState === 0) this.#state('connecting', 'Connection lost. Messages wait here until it is back.')
    this.#timeline.add(`${what} (${why})`, { gap: `next in ${milliseconds(delay)}`, bad: true })
    this.#draw()
  }

  #reset({ expected, count }) {
    this.#tally.renumber()
    this.#timeline.add(`The server forgot: ${expected} were acknowledged, it knows ${count}`, { bad: true })
  }

  #ended({ code, reason, pending }) {
    this.#stopStream()
    const elsewhere = code === RESUMED_ELSEWHERE
    const text = elsewhere ? 'This session was resumed elsewhere (4001).' : `The session ended (${code}${reason && `, ${reason}`}).`
    const left = pending.length ? ` ${pending.length} messages were not acknowledged.` : ''
    this.#state('ended', text)
    this.#timeline.add(text, { bad: true })
    show('ended-text', text + left)
    $('take-back').hidden = !elsewhere
    $('ended').hidden = false
    this.#draw()
  }

  #controls() {
    $('form').addEventListener('submit', (event) => {
      event.preventDefault()
      this.#send($('text').value)
    })
    const onClick = (id, act) => $(id).addEventListener('click', act)
    onClick('burst', () => Array.from({ length: BURST }, (_, i) => this.#send(`burst ${i + 1}`)))
    onClick('stream', () => (this.#stream ? this.#stopStream() : this.#startStream()))
    onClick('break', () => this.#breakNetwork())
    onClick('new', () => this.#replace(null))
    onClick('start-over', () => this.#replace(null))
    onClick('take-back', () => this.#replace(this.#baton.sessionId))
    addEventListener('offline', () => this.#timeline.add('The browser is offline', { bad: true }))
    addEventListener('online', () => this.#timeline.add('The browser is online'))
  }

  #send(text) {
    if (this.#baton.readyState === 3) return
    this.#tally.send(text)
    this.#baton.send(text)
    this.#draw()
  }

  #startStream() {
    this.#stream = setInterval(() => this.#send('tick'), STREAM_EVERY_MS)
    $('stream').ariaPressed = 'true'
  }

  #stopStream() {
    clearInterval(this.#stream)
    this.#stream = null
    $('stream').ariaPressed = 'false'
  }

  #breakNetwork() {
    this.#timeline.add('The network was broken for 2 s', { bad: true })
    this.#network.breakFor(BREAK_MS)
  }

  #replace(sessionId) {
    const moveFocus = $('ended').contains(document.activeElement)
    this.#baton.close()
    this.#open(sessionId)
    if (moveFocus) $('text').focus()
  }

  #state(state, text) {
    $('status').dataset.state = state
    show('status', text)
  }

  // At most once a frame, however many messages come.
  #draw() {
    if (this.#drawing) return
    this.#drawing = true
    requestAnimationFrame(() => {
      this.#drawing = false
      const { readyState, count, pending } = this.#baton
      const over = readyState === 3
      for (const button of document.querySelectorAll('#controls button:not(#new)')) button.disabled = over
      show('count', count.toLocaleString('en'))
      show('pending', pending)
      for (const name of ['sent', 'acknowledged', 'wrong', 'reconnects', 'heartbeats']) show(name, this.#tally[name])
      this.#chart.draw()
    })
  }
}

new Console()
