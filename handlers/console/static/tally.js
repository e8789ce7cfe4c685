// What the page sent and what came back, held against each other: every message once, in order, under a number that rises by one.

export class Tally {
  sent = 0
  acknowledged = 0
  wrong = 0
  reconnects = 0
  heartbeats = 0
  #waiting = []
  #last = null

  send(text) {
    this.sent++
    this.#waiting.push(text)
  }

  acknowledge(text, count) {
    this.acknowledged++
    const inOrder = this.#waiting.shift() === text
    const nextNumber = this.#last === null || count === this.#last + 1
    if (!inOrder || !nextNumber) this.wrong++
    this.#last = count
  }

  /** The server lost counts and said so: numbers begin anew. */
  renumber() {
    this.#last = null
  }
}
