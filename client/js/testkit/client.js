// Builders for the tests: a client that writes down its events, and a way to wait for them.

import { Baton } from '../node.js'

const QUICK = { minDelay: 5, maxDelay: 40, timeout: 2000 }
const PATIENCE_MS = 10_000

export function connect(t, url, options) {
  const baton = new Baton(url, { ...QUICK, ...options })
  const events = []
  for (const type of ['open', 'resume', 'ack', 'message', 'retry', 'reset', 'close']) {
    baton.addEventListener(type, (event) => events.push(event))
  }
  t.after(() => baton.close())
  const of = (type) => events.filter((event) => event.type === type)
  return { baton, events, of }
}

/** Resolves as soon as the condition holds; it is looked at on every event. */
export function until(baton, condition, what = String(condition)) {
  return new Promise((resolve, reject) => {
    const types = ['open', 'resume', 'ack', 'message', 'retry', 'reset', 'close']
    const look = () => {
      if (!condition()) return
      clearTimeout(timer)
      for (const type of types) baton.removeEventListener(type, look)
      resolve()
    }
    const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS)
    for (const type of types) baton.addEventListener(type, look)
    look()
  })
}

export const numbered = (n) => Array.from({ length: n }, (_, i) => `message ${i + 1}`)

/** A storage like the page's. */
export class Memory {
  items = new Map()
  getItem(key) {
    return this.items.get(key) ?? null
  }
  setItem(key, value) {
    this.items.set(key, value)
  }
}
