// Baton for Node: the same client on a WebSocket of its own. Node 20 has none, and the one of later versions hides,
// as browsers do, why a handshake was refused: here status and Retry-After are known.

import { Baton as Client } from './baton.js'
import { WebSocket } from './websocket.js'

export { WebSocket }

export class Baton extends Client {
  constructor(url, options) {
    super(url, { WebSocket, storage: null, ...options })
  }
}
