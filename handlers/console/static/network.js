// A network between the page and the server that can be broken: what the client sees then is what a cut cable shows it.

const LOST = 1006

export class Network extends EventTarget {
  #sockets = new Set()
  #down = false

  /** A WebSocket constructor whose sockets go through this network. */
  get WebSocket() {
    const network = this
    return function (url, protocol) {
      return network.#down ? deadSocket() : network.#track(new WebSocket(url, protocol))
    }
  }

  /** Cuts every connection at once, and lets no new one through for a while. */
  breakFor(milliseconds) {
    this.#down = true
    for (const socket of this.#sockets) {
      socket.onclose?.({ code: LOST, reason: 'the network is broken' })
      socket.close()
    }
    this.#sockets.clear()
    setTimeout(() => (this.#down = false), milliseconds)
  }

  #track(socket) {
    this.#sockets.add(socket)
    socket.addEventListener('close', () => this.#sockets.delete(socket))
    return socket
  }
}

function deadSocket() {
  const socket = { send() {}, close() {} }
  setTimeout(() => socket.onclose?.({ code: LOST, reason: 'the network is broken' }))
  return socket
}
