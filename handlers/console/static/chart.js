// The last round trips as bars. The scale is logarithmic: a millisecond and a reconnect are on one picture.

const BARS = 120
const HEIGHT = 140
const LEFT = 44 // px for the scale's labels
const FLOOR_MS = 0.1
const CEILING_MS = 10_000
const GRID_MS = [1, 10, 100, 1000]
const SVG = 'http://www.w3.org/2000/svg'

export class Chart {
  #svg
  #summary
  #trips = []

  constructor(svg, summary) {
    this.#svg = svg
    this.#summary = summary
    new ResizeObserver(() => this.draw()).observe(svg)
  }

  add(milliseconds) {
    this.#trips.push(milliseconds)
    if (this.#trips.length > BARS) this.#trips.shift()
  }

  clear() {
    this.#trips = []
  }

  draw() {
    const width = this.#svg.clientWidth
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
    this.#svg.replaceChildren(...GRID_MS.flatMap((ms) => gridLine(ms, width)), ...this.#bars(width))
    this.#summary.textContent = this.#describe()
  }

  #bars(width) {
    const step = (width - LEFT) / BARS
    const first = BARS - this.#trips.length
    return this.#trips.map((ms, i) => {
      const top = y(ms)
      const x = LEFT + (first + i) * step
      return element('rect', { x, y: top, width: Math.max(1, step - 1), height: HEIGHT - top, rx: 1 })
    })
  }

  #describe() {
    if (!this.#trips.length) return 'From send to acknowledgement, newest on the right. Nothing sent yet.'
    const sorted = this.#trips.toSorted((a, b) => a - b)
    const rank = (share) => milliseconds(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))])
    return `Last ${milliseconds(this.#trips.at(-1))}, median ${rank(0.5)}, 99th percentile ${rank(0.99)}, over ${sorted.length} messages.`
  }
}

export function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
}

function gridLine(ms, width) {
  const at = y(ms)
  const label = element('text', { x: 0, y: at + 4 })
  label.textContent = milliseconds(ms).replace('.0', '')
  return [element('line', { x1: LEFT, x2: width, y1: at, y2: at }), label]
}

function y(ms) {
  const share = Math.log(Math.max(ms, FLOOR_MS) / FLOOR_MS) / Math.log(CEILING_MS / FLOOR_MS)
  return HEIGHT * (1 - Math.min(1, share)) - 1
}

function element(name, attributes) {
  const node = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  return node
}
